// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/namespaces.hpp"

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/error.hpp"

namespace berth::namespaces {

namespace {

struct Kind {
    std::uint64_t flag;
    const char *name;
};
constexpr std::array kinds{
    Kind{CLONE_NEWCGROUP, "cgroup"}, Kind{CLONE_NEWIPC, "ipc"}, Kind{CLONE_NEWNS, "mnt"},
    Kind{CLONE_NEWNET, "net"},       Kind{CLONE_NEWPID, "pid"}, Kind{CLONE_NEWTIME, "time"},
    Kind{CLONE_NEWUSER, "user"},     Kind{CLONE_NEWUTS, "uts"},
};

} // namespace

std::vector<std::string> names(std::uint64_t flags) {
    std::vector<std::string> names;
    for (const Kind &kind : kinds)
        if ((flags & kind.flag) != 0)
            names.emplace_back(kind.name);
    return names;
}

Child fork_into(std::uint64_t flags, int cgroup) {
    int pidfd = -1;
    clone_args args{};
    args.flags = flags | CLONE_PIDFD;
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    if (cgroup >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<std::uint64_t>(cgroup);
    }
    const long pid = ::syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0)
        fail_errno("creating a process in new namespaces");
    return Child{.pid = static_cast<pid_t>(pid), .pidfd = unique_fd(pid == 0 ? -1 : pidfd)};
}

} // namespace berth::namespaces
