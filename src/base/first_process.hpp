// SPDX-License-Identifier: LGPL-2.1-or-later
// A machine is known before it is made: while systemd registers it, its first process still is a
// part of the launcher, with the host's tree before its eyes and all rights.
#pragma once

#include <chrono>

#include <sys/types.h>

namespace berth::first_process {

/// What the small init of --as-pid2, which never executes a program, calls itself (PR_SET_NAME).
inline constexpr const char *stub_name = "berth-init";

/// Waits until the process `pid` behind `pidfd`, should it be a launcher's, has become the machine's:
/// by its first execve(2), or as the small init. Throws Error when it ends or takes longer than
/// `patience`. Processes of others are not waited for.
void await(int pidfd, pid_t pid, std::chrono::milliseconds patience = std::chrono::seconds(30));

} // namespace berth::first_process
