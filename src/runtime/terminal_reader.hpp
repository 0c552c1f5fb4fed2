// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether a program waits for what is typed. What is read of our terminal for one that does not is lost to
// whoever would read it next, such as the shell.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace berth::terminal {

/// A file, whoever has it open.
struct FileId {
    std::uint64_t inode = 0;
    unsigned major = 0;
    unsigned minor = 0;

    bool operator==(const FileId &) const = default;
};

[[nodiscard]] FileId id_of(int fd);

/// True when process `pid`, or one that came from it, is in a system call that reads from `file`, or in one
/// that waits for events while `file` is its stdin (proc_pid_syscall(5)). Processes that are not there any
/// more wait for nothing. Where the kernel does not tell, true.
[[nodiscard]] bool waits_for_input(pid_t pid, const FileId &file);

} // namespace berth::terminal
