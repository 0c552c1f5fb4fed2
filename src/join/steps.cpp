// SPDX-License-Identifier: LGPL-2.1-or-later
#include "join/steps.hpp"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <vector>

#include "base/error.hpp"
#include "base/memory.hpp"
#include "base/rooted.hpp"
#include "kernel/entering.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"

namespace berth::join_steps {

using entering::Stdio;
using join::Command;
using join::Target;

namespace {

using namespace std::chrono_literals;

/// For berth to look at us.
constexpr auto go_deadline = 60s;

void enter(const Target &target) {
    // Until its exec a joining process is ours, not one for the machine to look into.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (target.namespaces == 0)
        return;
    if (::setns(target.leader, static_cast<int>(target.namespaces)) < 0)
        fail_errno("joining the machine's namespaces");
    if ((target.namespaces & CLONE_NEWNS) != 0 && (::fchdir(target.root.get()) < 0 || ::chroot(".") < 0))
        fail_errno("entering the machine's root");
}

void give_terminal(int terminal, const users::User &user) {
    if (terminal >= 0 && ::fchown(terminal, user.uid, static_cast<gid_t>(-1)) < 0 && errno != EPERM
        && errno != EROFS)
        fail_errno("giving the terminal to user {}", user.name);
}

void change_directory(const Target &target, const Command &command) {
    const int root = target.root.get();
    try {
        if (!command.working_directory.empty())
            rooted::change_directory(root, command.working_directory);
        else
            rooted::change_directory_to(target.working_directory.get(), "the leader's working directory");
    } catch (const Error &) {
        if (!command.working_directory.empty() && !command.working_directory_optional)
            throw;
        rooted::change_directory(root, "/");
    }
}

/// Without no_new_privs they can be installed with CAP_SYS_ADMIN only (seccomp(2)).
bool filters_need_administration(const Target &target) {
    return !target.filters.empty() && !target.no_new_privileges;
}

/// Gives up all that the machine does not have, but for what its filters need to be installed.
void give_up(const Target &target, const users::User &user) {
    const capabilities::Set kept =
        filters_need_administration(target) ? capabilities::system_administration() : 0;
    capabilities::bound(target.bounding);
    if (kept != 0 && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        fail_errno("keeping a capability over the change of user");
    users::become(user); // which may need what the machine is not to have
    capabilities::set_own((user.uid == 0 ? target.bounding : 0) | kept);
    if (target.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail_errno("setting no_new_privs");
}

void await_go(int socket) {
    (void)protocol::expect(socket, protocol::Kind::go, go_deadline, "waiting for berth");
}

[[noreturn]] void execute(const Command &command) {
    std::vector<std::string> environment = command.environment;
    ::clearenv();
    for (std::string &setting : environment)
        ::putenv(setting.data());
    std::vector<std::string> words = command.words;
    const std::string file = words.front();
    if (!command.name.empty())
        words.front() = command.name;
    entering::execute(file, std::move(words));
}

/// The command's process.
void become(const Command &command, const Stdio &stdio, int socket) {
    entering::lead_session(stdio.terminal);
    entering::die_with_parent(socket);
    protocol::send(socket, protocol::Kind::prepared);
    await_go(socket);
    execute(command);
}

/// The intermediate process: a pid namespace that is joined holds for children only.
void join_and_fork(const Target &target, const Command &command, const Stdio &stdio, int socket) {
    entering::die_with_parent(socket);
    ::clearenv();
    forget_arguments(); // root inside may look into the memory of processes that it sees
    enter(target);
    entering::leave_keyring();
    give_terminal(stdio.terminal, command.user);
    entering::put_stdio(stdio);
    entering::close_others({socket, stdio.terminal, target.root.get(), target.working_directory.get()});
    give_up(target, command.user);
    change_directory(target, command);
    entering::close_others({socket, stdio.terminal});
    ::umask(0022);
    entering::reset_signals();
    syscall_filters::install(target.filters);
    if (filters_need_administration(target))
        capabilities::set_own(command.user.uid == 0 ? target.bounding : 0);
    protocol::send(socket, protocol::Kind::prepared);
    await_go(socket);
    const namespaces::Child child = entering::fork_for_parent();
    if (child.pid == 0)
        entering::run_child(socket, [&] { become(command, stdio, socket); });
    protocol::send(socket, protocol::Kind::born, 0, {}, {child.pidfd.get()});
}

} // namespace

void run(const Target &target, const Command &command, const Stdio &stdio, int socket) noexcept {
    entering::run_child(socket, [&] { join_and_fork(target, command, stdio, socket); });
}

} // namespace berth::join_steps
