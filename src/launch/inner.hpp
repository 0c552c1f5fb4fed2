// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's side of a launch: from birth in new namespaces to exec of its init or command.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/entering.hpp"
#include "plan/plan.hpp"
#include "root/tree.hpp"
#include "seccomp/program.hpp"

namespace berth::inner {

/// What the machine's first process is given.
struct Orders {
    const LaunchPlan &plan;
    tree::Parts parts;
    const seccomp::Programs &filter;      ///< of system calls; may be empty
    tree::Assembled *assembled = nullptr; ///< the tree, when the launcher has assembled it
    entering::Stdio stdio;                ///< where there is no console: in place of our caller's terminal
};

/// Runs in the child that namespaces::fork_into() made. `socket` leads to the launcher
/// (protocol.hpp). Never returns: it execs, or reports what failed and exits.
[[noreturn]] void run(Orders orders, unique_fd socket) noexcept;

} // namespace berth::inner
