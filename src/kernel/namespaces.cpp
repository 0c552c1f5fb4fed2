// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/namespaces.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/nsfs.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/error.hpp"
#include "base/io.hpp"

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

Child fork_as(pid_t pid) {
    int pidfd = -1;
    clone_args args{};
    args.flags = CLONE_PIDFD;
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    args.set_tid = reinterpret_cast<std::uint64_t>(&pid);
    args.set_tid_size = 1;
    const long made = ::syscall(SYS_clone3, &args, sizeof args);
    if (made < 0)
        fail_errno("creating process {} in another pid namespace", pid);
    return Child{.pid = static_cast<pid_t>(made), .pidfd = unique_fd(made == 0 ? -1 : pidfd)};
}

namespace {

unique_fd open_own(const char *name) {
    const std::string path = std::string("/proc/self/ns/") + name;
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening {}", path);
    return fd;
}

} // namespace

Entered::Entered(const std::vector<Target> &targets, std::uint64_t wanted) {
    for (const auto &[fd, what, flag] : targets) {
        if ((flag & wanted) == 0)
            continue;
        const int type = ::ioctl(fd.get(), NS_GET_NSTYPE);
        const auto *const kind = std::ranges::find(kinds, flag, &Kind::flag);
        if (type < 0 || static_cast<std::uint64_t>(type) != flag)
            fail("{} is not a namespace of the kind \"{}\", as /proc/PID/ns/{} is", what, kind->name,
                 kind->name);
        Own own{.fd = open_own(kind->name), .flag = type};
        if (::setns(fd.get(), type) < 0)
            fail_errno("entering {}", what);
        own_.push_back(std::move(own));
    }
}

Entered::~Entered() {
    for (const Own &own : own_)
        ::setns(own.fd.get(), own.flag); // our own, so nothing forbids it
}

FreshTime::FreshTime() : own_(open_own("time")) {
    timespec boot{};
    timespec monotonic{};
    ::clock_gettime(CLOCK_BOOTTIME, &boot);
    ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
    if (::unshare(CLONE_NEWTIME) < 0)
        fail_errno("creating a time namespace");
    write_control("/proc/self/timens_offsets",
                  berth::format("monotonic {} 0\nboottime {} 0\n", -monotonic.tv_sec, -boot.tv_sec));
}

FreshTime::~FreshTime() {
    ::setns(own_.get(), CLONE_NEWTIME);
}

} // namespace berth::namespaces
