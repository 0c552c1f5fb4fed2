// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes the machine known: to berthd and systemd, to systemd alone, or to nobody.
#pragma once

#include <vector>

#include <string>

#include "plan/plan.hpp"

namespace berth::registration {

/// Settles unit and registry for the machine led by the process behind `leader`, as the plan
/// has it. `interfaces` are the indices of the links on the host that lead to it. Returns when the leader is
/// in its unit.
void enter(const LaunchPlan &plan, int leader, const std::vector<int> &interfaces);

} // namespace berth::registration
