// SPDX-License-Identifier: LGPL-2.1-or-later
// What a process that is to run in a machine has given up, as the kernel tells it of that process. It
// cannot tell so itself: the machine's system call filters may have it believe what they like.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "kernel/capabilities.hpp"

namespace berth::join_check {

/// Whom a process must have become, with the host's numbers.
struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups; ///< in any order
    capabilities::Set bounding = 0;
    capabilities::Set permitted = 0; ///< all that it may have
    bool no_new_privileges = false;
    std::size_t filters = 0; ///< of system calls, at least
};

/// What differs in the text of /proc/PID/status (proc_pid_status(5)), in words; empty when nothing does.
[[nodiscard]] std::string difference(std::string_view status, const Identity &identity);

/// Throws Error unless process `pid`, a child of ours, is that.
void require(pid_t pid, const Identity &identity);

/// Throws Error unless `pid`, a child of ours, leads a session, whose terminal is the one behind `terminal`,
/// or which has none when that is negative (proc_pid_stat(5)).
void require_session(pid_t pid, int terminal);

} // namespace berth::join_check
