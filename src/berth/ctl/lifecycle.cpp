// SPDX-License-Identifier: LGPL-2.1-or-later
// berth poweroff, reboot, terminate, kill: what is done to machines that run.
#include <signal.h>

#include "berth/ctl/client.hpp"
#include "cli/verbs.hpp"

namespace berth::cli {

namespace {

int send_signal(const Invocation &invocation, const std::string &whom, int signal) {
    const auto connection = connect();
    Manager manager(*connection);
    return for_each_name(invocation.arguments,
                         [&](const std::string &name) { manager.KillMachine(name, whom, signal); });
}

} // namespace

int poweroff(const Invocation &invocation) {
    return send_signal(invocation, "leader", SIGRTMIN + 4); // systemd(1), "Signals"
}

int reboot(const Invocation &invocation) {
    return send_signal(invocation, "leader", SIGINT);
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
