// SPDX-License-Identifier: LGPL-2.1-or-later
// berth poweroff, reboot, terminate, kill: what is done to machines that run.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "berth/ctl/client.hpp"
#include "berth/ctl/init_kind.hpp"
#include "berth/leader.hpp"
#include "build.hpp"
#include "cli/verbs.hpp"

namespace berth::cli {

namespace {

int send_signal(const Invocation &invocation, const std::string &whom, int signal) {
    const auto connection = connect();
    Manager manager(*connection);
    return for_each_name(invocation.arguments,
                         [&](const std::string &name) { manager.KillMachine(name, whom, signal); });
}

/// Has the machine run `command`, whose words, which may have no end, go where ours go. True when it
/// succeeded.
bool run_inside(const std::string &machine, std::string command) {
    std::string program = std::string(build::libexecdir) + "/berth-exec";
    std::string verb = "exec";
    std::string name = machine;
    std::array<char *, 5> words{program.data(), verb.data(), name.data(), command.data(), nullptr};
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    int fd = -1;
    const int code = ::pidfd_spawn(&fd, program.c_str(), &files, nullptr, words.data(), ::environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (code != 0)
        fail_code(code, "starting {}", program);
    const unique_fd child(fd);
    const siginfo_t info = pidfd::wait(child.get());
    return info.si_code == CLD_EXITED && info.si_status == 0;
}

/// As PID 1 understands it: by a signal of its, else by the tree's own command.
int ask(const Invocation &invocation, int InitKind::*signal, const std::string &command) {
    const auto connection = connect();
    Manager manager(*connection);
    return for_each_name(invocation.arguments, [&](const std::string &name) {
        const unique_fd leader = open_leader(name);
        const InitKind kind = init_kind_of(leader.get());
        if (kind.*signal != 0) {
            manager.KillMachine(name, "leader", kind.*signal);
            return;
        }
        // With the leader the command ends, too.
        if (!run_inside(name, command) && !pidfd::has_exited(leader.get()))
            fail("machine \"{}\": its {} command failed, and it is still there", name, command);
    });
}

} // namespace

int poweroff(const Invocation &invocation) {
    return ask(invocation, &InitKind::poweroff, "poweroff");
}

int reboot(const Invocation &invocation) {
    return ask(invocation, &InitKind::reboot, "reboot");
}

int terminate(const Invocation &invocation) {
    const auto connection = connect();
    Manager manager(*connection);
    return for_each_name(invocation.arguments,
                         [&](const std::string &name) { manager.TerminateMachine(name); });
}

int kill(const Invocation &invocation) {
    const Settings &settings = invocation.settings;
    return send_signal(invocation, settings.kill_whom, settings.signal != 0 ? settings.signal : SIGTERM);
}

} // namespace berth::cli
