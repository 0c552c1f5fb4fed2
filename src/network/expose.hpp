// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "network/plan.hpp"

namespace berth::network {

/// Forwards the plan's ports to the address that the machine has, whenever it has one, until the
/// end of stdin. Prints "ready" and a newline once it does. Throws Error when it cannot go on.
void expose(const Request &request);

} // namespace berth::network
