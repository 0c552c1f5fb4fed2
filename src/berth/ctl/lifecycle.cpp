// SPDX-License-Identifier: LGPL-2.1-or-later
// berth poweroff, reboot, terminate, kill: what is done to machines that run.
#include <signal.h>

#include <string>

#include "base/error.hpp"
#include "base/helper.hpp"
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
        try {
            (void)helper::output_of({std::string(build::libexecdir) + "/berth-exec", "exec", name, command},
                                    berth::format("run {} in machine \"{}\"", command, name));
        } catch (const Error &) {
            if (!pidfd::has_exited(leader.get())) // with which the command ends, too
                throw;
        }
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
