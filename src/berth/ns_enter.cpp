// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ns_enter.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <format>
#include <optional>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "berth/style.hpp"
#include "runtime/capabilities.hpp"
#include "runtime/namespaces.hpp"

namespace berth::ns {

namespace {

bool has(const Target &target, std::string_view kind) {
    return std::ranges::contains(target.members, kind,
                                 [](const Member &member) { return member.kind->name; });
}

void join(const Member &member, const Target &target) {
    if (::setns(member.fd.get(), member.kind->flag) < 0)
        fail_errno("entering the {} namespace of {}", member.kind->name, target.what);
}

/// Becomes root of the user namespace that we have just entered.
void become_root(const Target &target) {
    if (::setgroups(0, nullptr) < 0 && errno != EPERM) // EPERM: it denies setgroups(2) to all
        fail_errno("giving up our groups");
    if (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0)
        fail_errno("becoming root in the user namespace of {}", target.what);
}

/// What is read of the process must be read before any of its namespaces is entered.
struct Borders {
    unique_fd root;                            ///< O_PATH
    std::optional<capabilities::Set> bounding; ///< what the command may have at most
};

Borders borders_of(const Target &target) {
    Borders borders;
    if (target.pid == 0)
        return borders;
    if (has(target, "mnt")) {
        const std::string path = std::format("/proc/{}/root", target.pid);
        borders.root.reset(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!borders.root)
            fail_errno("opening the root directory of {}", target.what);
    }
    // Those inside may trace a process in their midst, and what it may do they could then do too.
    if (has(target, "mnt") || has(target, "pid") || has(target, "user"))
        borders.bounding = capabilities::bounding_of(target.pid);
    if (pidfd::has_exited(target.process.get()))
        fail_code(ESRCH, "looking at {}", target.what);
    return borders;
}

/// The user namespace comes last: in it we have no rights over what the host owns.
void join_all(const Target &target, const Borders &borders) {
    for (const Member &member : target.members)
        if (member.kind->name != "user")
            join(member, target);
    if (borders.root && (::fchdir(borders.root.get()) < 0 || ::chroot(".") < 0))
        fail_errno("entering the root directory of {}", target.what);
    for (const Member &member : target.members)
        if (member.kind->name == "user") {
            join(member, target);
            become_root(target);
        }
}

int become(const std::vector<std::string> &command) {
    std::vector<std::string> words = command;
    std::vector<char *> pointers;
    for (std::string &word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    ::execvp(pointers.front(), pointers.data());
    const int code = errno;
    cli::style::complain(std::format("starting {}: {}", command.front(), errno_text(code)));
    return code == ENOENT ? 127 : 126;
}

/// Signals that are for the command when they come to us.
sigset_t handled_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD})
        ::sigaddset(&set, signal);
    return set;
}

/// Hands signals on until the process ends. Those of the terminal it gets itself.
int attend(int process, const sigset_t &signals) {
    for (;;) {
        siginfo_t end{};
        if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process), &end, WEXITED | WNOHANG) < 0)
            fail_errno("waiting for the command");
        if (end.si_pid != 0 || end.si_code != 0)
            return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
        siginfo_t info{};
        const int signal = ::sigwaitinfo(&signals, &info);
        if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL)
            pidfd::send_signal(process, signal);
    }
}

void die_with_parent(int parent) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        fail_errno("asking to be killed with berth");
    // It may have died before; its pid says nothing in another pid namespace, its end of a pipe does.
    pollfd entry{.fd = parent, .events = 0, .revents = 0};
    if (::poll(&entry, 1, 0) > 0)
        ::_exit(1);
}

/// Only children are born into a pid namespace that is entered.
int run_child(const Borders &borders, const std::vector<std::string> &command, const Target &target) {
    const sigset_t signals = handled_signals();
    sigset_t before;
    ::sigprocmask(SIG_BLOCK, &signals, &before);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0)
        fail_errno("creating a pipe");
    const unique_fd theirs(ends[0]);
    unique_fd ours(ends[1]);
    namespaces::Child child;
    try {
        child = namespaces::fork_into(0);
    } catch (const Error &error) {
        if (error.code() != ENOMEM)
            throw;
        fail_code(ENOMEM,
                  "starting a process in the pid namespace of {}, where nothing can start once the first "
                  "process has ended",
                  target.what);
    }
    if (child.pid != 0)
        return attend(child.pidfd.get(), signals);
    ours.reset();
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    try {
        if (borders.bounding)
            capabilities::limit_to(*borders.bounding);
        die_with_parent(theirs.get());
        ::_exit(become(command));
    } catch (const std::exception &error) {
        cli::style::complain(error.what());
    }
    ::_exit(1);
}

} // namespace

int enter(const Target &target, const std::vector<std::string> &command) {
    const Borders borders = borders_of(target);
    join_all(target, borders);
    if (has(target, "pid"))
        return run_child(borders, command, target);
    if (borders.bounding)
        capabilities::limit_to(*borders.bounding);
    return become(command);
}

} // namespace berth::ns
