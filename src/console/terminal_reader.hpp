// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether a program waits for what is typed. What is read of our terminal for one that does not is lost to
// whoever would read it next, such as the shell.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "base/systemd_handles.hpp"

namespace berth::terminal {

/// A file, whoever has it open.
struct FileId {
    std::uint64_t inode = 0;
    dev_t filesystem = 0;
    dev_t device = 0; ///< for a character device

    bool operator==(const FileId &) const = default;
};

[[nodiscard]] FileId id_of(int fd);

/// True when process `pid`, or one that came from it, is in a system call that reads from the terminal
/// `file`, also as its /dev/tty, or in one that waits for events while `file` is its stdin or one that it
/// opened (proc_pid_syscall(5)). Processes that are not there any more wait for nothing. Where the kernel
/// does not tell, true.
[[nodiscard]] bool waits_for_input(pid_t pid, const FileId &file);

/// The same from an event loop, which goes on meanwhile: a process in execve(2) that closes a file of a
/// machine's own filesystem keeps whoever looks at it waiting.
class ReaderQuestion {
public:
    ReaderQuestion(sd_event *event, pid_t pid, const FileId &file, std::function<void(bool)> answer);
    ~ReaderQuestion();
    ReaderQuestion(const ReaderQuestion &) = delete;
    ReaderQuestion &operator=(const ReaderQuestion &) = delete;

    /// Not again before the answer has come.
    void ask();

private:
    struct Shared;

    static int on_answer(sd_event_source *source, int fd, std::uint32_t events, void *self);

    pid_t pid_;
    FileId file_;
    std::function<void(bool)> answer_;
    std::shared_ptr<Shared> shared_;
    EventSourcePtr source_;
};

} // namespace berth::terminal
