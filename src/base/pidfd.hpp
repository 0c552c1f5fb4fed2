// SPDX-License-Identifier: LGPL-2.1-or-later
// Processes held by descriptor, so that no pid is ever signalled by number (pidfd_open(2)).
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.hpp"

namespace berth::pidfd {

/// A pidfd for `pid`. Throws Error (ESRCH when there is no such process).
[[nodiscard]] unique_fd open(pid_t pid);

/// The pid behind `fd` in our pid namespace; 0 when the process has been reaped or lives in a
/// namespace we cannot see (from /proc/self/fdinfo).
[[nodiscard]] pid_t pid_of(int fd);

/// A number that the kernel gives to no other process until the next boot: the inode on pidfs, which
/// there is since Linux 6.9. 0 on older kernels.
[[nodiscard]] std::uint64_t id_of(int fd);

/// Sends `signal`; false when the process is gone. Throws on any other failure.
bool send_signal(int fd, int signal);

/// The same for the group that the process leads, where the kernel can (Linux 6.9), else for it alone.
bool send_signal_to_group(int fd, int signal);

/// Waits for the end of a child and reaps it; how it ended, as waitid(2) has it.
siginfo_t wait(int fd);

/// The same where nobody asks how, and nothing can be done about a failure: it is none of our children.
void reap(int fd) noexcept;

/// Kills a child and reaps it.
void end(int fd) noexcept;

/// True once the process has exited (a zombie counts).
[[nodiscard]] bool has_exited(int fd);

} // namespace berth::pidfd
