// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's side of a launch: from birth in new namespaces to exec of its init or command.
#pragma once

#include "base/unique_fd.hpp"
#include "runtime/plan.hpp"

namespace berth::inner {

/// Runs in the child that namespaces::fork_into() made. `socket` leads to the launcher
/// (protocol.hpp). Never returns: it execs, or reports what failed and exits.
[[noreturn]] void run(const LaunchPlan &plan, unique_fd socket) noexcept;

} // namespace berth::inner
