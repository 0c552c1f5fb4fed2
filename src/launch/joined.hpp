// SPDX-License-Identifier: LGPL-2.1-or-later
// Namespaces of others that a machine is to be born into: --network-of= and its like.
#pragma once

#include <vector>

#include "kernel/namespaces.hpp"
#include "plan/plan.hpp"

namespace berth::joined {

/// Opens them: they stay what they are, whatever becomes of the names they were found by. Throws
/// Error naming the setting.
[[nodiscard]] std::vector<namespaces::Target> open(const JoinPlan &plan);

} // namespace berth::joined
