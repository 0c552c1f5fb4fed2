// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's side of a launch: from birth in new namespaces to exec of its init or command.
#pragma once

#include <optional>

#include "base/unique_fd.hpp"
#include "runtime/plan.hpp"
#include "runtime/tree.hpp"

namespace berth::inner {

/// Runs in the child that namespaces::fork_into() made. `socket` leads to the launcher
/// (protocol.hpp). `assembled` is the tree when the launcher has assembled it, else it is made of
/// `parts` here. Never returns: it execs, or reports what failed and exits.
[[noreturn]] void run(const LaunchPlan &plan, unique_fd socket, const tree::Parts &parts,
                      std::optional<tree::Assembled> assembled) noexcept;

} // namespace berth::inner
