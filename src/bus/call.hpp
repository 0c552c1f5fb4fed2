// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls to other services, without waiting in them.
#pragma once

#include <sdbus-c++/IProxy.h>
#include <sdbus-c++/Message.h>

#include "bus/event.hpp"
#include "bus/task.hpp"

namespace berth {

/// Sends `message`; the outcome is the reply, or the sdbus::Error in its place. After `deadline`
/// it is a timeout error.
[[nodiscard]] Outcome<sdbus::MethodReply> call(sdbus::IProxy &peer, const sdbus::MethodCall &message,
                                               Clock::time_point deadline);

} // namespace berth
