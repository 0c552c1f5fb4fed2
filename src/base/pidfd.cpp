// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/pidfd.hpp"

#include <linux/magic.h>
#include <poll.h>
extern "C" { // glibc 2.41 does not say so itself
#include <sys/pidfd.h>
}

#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <cstdlib>

#include "base/error.hpp"
#include "base/io.hpp"

namespace berth::pidfd {

unique_fd open(pid_t pid) {
    unique_fd fd(::pidfd_open(pid, 0));
    if (!fd)
        fail_errno("opening a pidfd for process {}", pid);
    return fd;
}

pid_t pid_of(int fd) {
    const std::string info = read_file(berth::format("/proc/self/fdinfo/{}", fd));
    const auto at = info.find("\nPid:");
    if (at == std::string::npos)
        fail("descriptor {} is not a pidfd", fd);
    const long pid = std::strtol(info.c_str() + at + 5, nullptr, 10);
    return pid > 0 ? static_cast<pid_t>(pid) : 0; // -1: reaped, 0: another namespace
}

std::uint64_t id_of(int fd) {
    struct statfs filesystem{};
    struct stat st{};
    if (::fstatfs(fd, &filesystem) < 0 || ::fstat(fd, &st) < 0)
        fail_errno("looking at a pidfd");
    return filesystem.f_type == PID_FS_MAGIC ? st.st_ino : 0;
}

bool send_signal(int fd, int signal) {
    if (::pidfd_send_signal(fd, signal, nullptr, 0) == 0)
        return true;
    if (errno == ESRCH)
        return false;
    fail_errno("sending signal {} through a pidfd", signal);
}

bool send_signal_to_group(int fd, int signal) {
    constexpr unsigned process_group = 1U << 2; // PIDFD_SIGNAL_PROCESS_GROUP of <linux/pidfd.h>
    return ::pidfd_send_signal(fd, signal, nullptr, process_group) == 0 || send_signal(fd, signal);
}

siginfo_t wait(int fd) {
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(fd), &info, WEXITED) < 0)
        if (errno != EINTR)
            fail_errno("waiting for a process");
    return info;
}

void reap(int fd) noexcept {
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(fd), &info, WEXITED) < 0
           && errno == EINTR) {
    }
}

void end(int fd) noexcept {
    (void)::pidfd_send_signal(fd, SIGKILL, nullptr, 0);
    reap(fd);
}

bool has_exited(int fd) {
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    for (;;) {
        const int n = ::poll(&entry, 1, 0);
        if (n >= 0)
            return n > 0 && (entry.revents & POLLIN) != 0;
        if (errno != EINTR)
            fail_errno("polling a pidfd");
    }
}

} // namespace berth::pidfd
