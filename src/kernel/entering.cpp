// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/entering.hpp"
#include "base/format.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>

namespace berth::entering {

void die_with_parent(int socket) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        fail_errno("asking to be killed with berth");
    // It may have died before. The parent's pid says nothing in another pid namespace; the socket does.
    pollfd entry{.fd = socket, .events = 0, .revents = 0};
    if (::poll(&entry, 1, 0) > 0 && (entry.revents & POLLHUP) != 0)
        ::_exit(1);
}

void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal)
        ::signal(signal, SIG_DFL); // those that cannot be set stay as they are
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void put_stdio(const Stdio &stdio) {
    for (int fd = 0; fd < static_cast<int>(stdio.replaced.size()); ++fd)
        if (const int other = stdio.replaced[static_cast<std::size_t>(fd)];
            other >= 0 && ::dup2(other, fd) < 0)
            fail_errno("putting the command's stdio in place");
}

void close_others(std::vector<int> kept) {
    std::erase_if(kept, [](int fd) { return fd <= STDERR_FILENO; });
    std::ranges::sort(kept);
    unsigned from = STDERR_FILENO + 1;
    for (const int fd : kept) {
        const auto number = static_cast<unsigned>(fd);
        if (number > from && ::close_range(from, number - 1, 0) < 0)
            fail_errno("closing inherited descriptors");
        from = std::max(from, number + 1);
        if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            fail_errno("keeping a descriptor from the command");
    }
    if (::close_range(from, ~0U, 0) < 0)
        fail_errno("closing inherited descriptors");
}

/// Filters from before clone3(2) refuse that, since they cannot look into its arguments.
namespaces::Child fork_for_parent() {
    int pidfd = -1;
    clone_args args{};
    args.flags = CLONE_PARENT | CLONE_PIDFD; // the signal at its end is the one at ours, SIGCHLD
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    long pid = ::syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0 && (errno == ENOSYS || errno == EPERM))
        pid = ::syscall(SYS_clone, args.flags, nullptr, &pidfd, nullptr, nullptr);
    if (pid < 0)
        fail_errno("creating a process in the machine");
    return {.pid = static_cast<pid_t>(pid), .pidfd = unique_fd(pid == 0 ? -1 : pidfd)};
}

void lead_session(int terminal) {
    if (::setsid() < 0)
        fail_errno("starting a session");
    if (terminal >= 0 && ::ioctl(terminal, TIOCSCTTY, 0) < 0)
        fail_errno("making the terminal our controlling terminal");
}

void leave_keyring() noexcept {
    // Kernels without keyrings, and filters that forbid them, leave us none either.
    (void)::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
}

void execute(const std::string &file, std::vector<std::string> words) {
    std::vector<char *> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string &word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    ::execvp(file.c_str(), pointers.data());
    const int code = errno;
    throw StartError(berth::format("starting {}: {}", file, errno_text(code)), code);
}

} // namespace berth::entering
