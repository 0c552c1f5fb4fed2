// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "network/plan.hpp"

namespace berth::network {

/// Makes all links of the plan. When that fails, it undoes what it did and throws Error. When it is
/// killed, what it made goes with the machine's network namespace, except a zone's bridge, which
/// the next release of any machine sweeps.
[[nodiscard]] Links set_up(const Request &request);

} // namespace berth::network
