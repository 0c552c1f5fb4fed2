// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ns/enter.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/memory.hpp"
#include "base/pidfd.hpp"
#include "berth/session.hpp"
#include "cli/style.hpp"
#include "kernel/capabilities.hpp"
#include "kernel/entering.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"
#include "seccomp/load.hpp"

namespace berth::ns {

namespace {

/// For each step on the way to the command's exec.
constexpr std::chrono::seconds deadline{60};

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

/// What a command is kept within that does not join a process as one of its machine.
struct Borders {
    std::optional<capabilities::Set> bounding; ///< what the command may have at most
    seccomp::Programs filter;                  ///< of system calls
};

/// Those inside may trace a process in their midst, and what it may do they could then do too. Where none of
/// theirs is known, it has what any machine may have.
Borders borders_of(const Target &target) {
    if (!has(target, "mnt") && !has(target, "pid") && !has(target, "user"))
        return {};
    if (target.pid != 0)
        return {.bounding = capabilities::bounding_of(target.pid), .filter = {}};
    const capabilities::Set bounding = capabilities::default_bounding(true);
    return {.bounding = bounding,
            .filter =
                seccomp::load({.capabilities = bounding, .rules = {}, .suppress_sync = false}).programs};
}

/// The user namespace comes last: in it we have no rights over what the host owns.
void join_all(const Target &target) {
    for (const Member &member : target.members)
        if (member.kind->name != "user")
            join(member, target);
    for (const Member &member : target.members)
        if (member.kind->name == "user") {
            join(member, target);
            become_root(target);
        }
}

/// The filter comes while it can still be installed.
void give_up(const Borders &borders) {
    entering::leave_keyring();
    seccomp::install(borders.filter);
    if (borders.bounding)
        capabilities::limit_to(*borders.bounding);
}

/// In namespaces that leave it a process of ours alone.
[[noreturn]] void become(const Target &target, const std::vector<std::string> &command) {
    const Borders borders = borders_of(target);
    join_all(target);
    give_up(borders);
    entering::execute(command.front(), command);
}

/// As root, with what a login has; what else is in our environment is none of theirs.
join::Command command_of(const std::vector<std::string> &words) {
    join::Command command;
    command.words = words;
    command.environment = {berth::format("PATH={}", cli::default_path), "HOME=/root", "USER=root",
                           "LOGNAME=root"};
    for (const char *name : {"TERM", "LANG", "SHELL"})
        if (const char *value = std::getenv(name); value != nullptr) // NOLINT(concurrency-mt-unsafe)
            command.environment.push_back(berth::format("{}={}", name, value));
    return command;
}

/// The intermediate process. What those inside can see and trace never has more than they may have, nor
/// anything open.
void enter_and_fork(const Target &target, const Borders &borders, join::Command command,
                    const entering::Stdio &stdio, int socket) {
    entering::die_with_parent(socket);
    ::clearenv();
    forget_arguments(); // root inside may look into the memory of processes that it sees
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    join_all(target);
    entering::put_stdio(stdio);
    entering::close_others({socket, stdio.terminal});
    entering::reset_signals();
    give_up(borders);
    const namespaces::Child child = entering::fork_for_parent();
    if (child.pid != 0) {
        protocol::send(socket, protocol::Kind::born, 0, {}, {child.pidfd.get()});
        return;
    }
    entering::run_child(socket, [&] {
        entering::lead_session(stdio.terminal);
        entering::die_with_parent(socket);
        protocol::send(socket, protocol::Kind::prepared);
        for (std::string &setting : command.environment)
            ::putenv(setting.data());
        entering::execute(command.words.front(), command.words);
    });
}

[[noreturn]] void rethrow(const protocol::Message &failure, bool executing, const Target &target) {
    if (failure.code == ENOMEM && has(target, "pid"))
        fail_code(ENOMEM,
                  "starting a process in the pid namespace of {}, where nothing can start once the first "
                  "process has ended",
                  target.what);
    if (executing)
        throw entering::StartError(failure.text, failure.code);
    throw Error(failure.text, failure.code);
}

/// Only children are born into a pid namespace that is entered.
join::Process start(const Target &target, const Borders &borders, const std::vector<std::string> &command,
                    const entering::Stdio &stdio) {
    auto [ours, theirs] = protocol::make_pair();
    const namespaces::Child intermediate = namespaces::fork_into(0);
    if (intermediate.pid == 0) {
        ours.reset();
        entering::run_child(
            theirs.get(), [&] { enter_and_fork(target, borders, command_of(command), stdio, theirs.get()); });
    }
    theirs.reset();
    unique_fd born;
    bool executing = false;
    std::optional<protocol::Message> failure;
    for (bool over = false; !over;) {
        protocol::Message message = protocol::receive(ours.get(), deadline);
        switch (message.kind) {
        case protocol::Kind::born:
            if (!message.fds.empty())
                born = std::move(message.fds.front());
            break;
        case protocol::Kind::prepared: executing = true; break;
        case protocol::Kind::failed: failure = std::move(message); break;
        default: over = true;
        }
    }
    pidfd::reap(intermediate.pidfd.get());
    if (failure && born)
        pidfd::reap(born.get());
    if (failure)
        rethrow(*failure, executing, target);
    if (!born)
        fail("the process that was to enter the namespaces of {} ended without a word", target.what);
    return {std::move(born), {}};
}

/// The process as one to join, in the namespaces that are meant and no others.
join::Target joined(const Target &target) {
    join::Target joined = join::look_at(target.process.get(), join::Look::to_run);
    joined.namespaces = 0;
    for (const Member &member : target.members)
        joined.namespaces |= static_cast<std::uint64_t>(member.kind->flag);
    joined.compared = joined.namespaces;
    const join::Target ours = join::host();
    if (!has(target, "mnt")) {
        joined.root = duplicate(ours.root.get());
        joined.working_directory.reset(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    if (has(target, "user"))
        return joined;
    // A process whose own user namespace is left out may have any bounding set there.
    joined.bounding &= capabilities::default_bounding(true);
    joined.users = ours.users;
    joined.groups = ours.groups;
    joined.root_uid = joined.root_gid = 0;
    return joined;
}

/// What can be traced by those inside, or is a program of theirs, is not given our terminal, and nothing that
/// they do not have.
int enter_apart(const Target &target, const std::vector<std::string> &command) {
    if (target.pid != 0) {
        const join::Target process = joined(target);
        return cli::run_session(cli::joining(process, command_of(command)), cli::usual_terminal());
    }
    const Borders borders = borders_of(target);
    return cli::run_session(
        {.open_pty = [] { return terminal::open_pty(); },
         .start = [&](const entering::Stdio &stdio) { return start(target, borders, command, stdio); }},
        cli::usual_terminal());
}

} // namespace

int enter(const Target &target, const std::vector<std::string> &command) {
    if (has(target, "pid") || has(target, "mnt"))
        return enter_apart(target, command);
    try {
        become(target, command);
    } catch (const entering::StartError &error) {
        cli::style::complain(error.what());
        return error.exit_code();
    }
}

} // namespace berth::ns
