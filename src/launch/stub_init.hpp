// SPDX-License-Identifier: LGPL-2.1-or-later
// The small PID 1 of --as-pid2: reaps, and answers the signals that an init is sent.
#pragma once

#include <sys/types.h>

namespace berth::stub_init {

/// Leaves what is the launcher's and would be in reach of the machine: its session and terminal,
/// stdio, arguments, environment and memory. Descriptors beyond stdio are closed.
void leave_launcher();

/// Runs as PID 1 until `command` ends, then exits as it did. SIGINT and SIGRTMIN+5 end all
/// processes and reboot, SIGRTMIN+3 and +4 and SIGTERM end them and halt or power off.
[[noreturn]] void run(pid_t command) noexcept;

} // namespace berth::stub_init
