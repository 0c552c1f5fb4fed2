// SPDX-License-Identifier: LGPL-2.1-or-later
// berth exec and berth shell: a command inside a machine, with our terminal or our stdio.
#include <cstdio>
#include <cstdlib>

#include "base/error.hpp"
#include "berth/exec/machine.hpp"
#include "berth/session.hpp"
#include "cli/verbs.hpp"
#include "join/join.hpp"

namespace berth::cli {

namespace {

constexpr const char *fallback_shell = "/bin/sh";

/// A clean environment for `user`; what was asked for on the command line comes last and wins.
std::vector<std::string> environment_of(const users::User &user, const std::vector<std::string> &wanted) {
    std::vector<std::string> environment{berth::format("PATH={}", default_path),
                                         "HOME=" + user.home,
                                         "USER=" + user.name,
                                         "LOGNAME=" + user.name,
                                         "LANG=C.UTF-8",
                                         "container=berth"};
    environment.push_back("SHELL=" + (user.shell.empty() ? fallback_shell : user.shell));
    if (const char *terminal = std::getenv("TERM"); terminal != nullptr) // NOLINT(concurrency-mt-unsafe)
        environment.push_back(berth::format("TERM={}", terminal));
    for (const std::string &setting : wanted) {
        const auto name = setting.substr(0, setting.find('=') + 1);
        std::erase_if(environment, [&](const std::string &other) { return other.starts_with(name); });
        environment.push_back(setting);
    }
    return environment;
}

Terminal terminal_for(const Settings &settings) {
    if (settings.pty)
        return *settings.pty ? Terminal::all : Terminal::none;
    return usual_terminal();
}

join::Command command_for(const Machine &machine, const Settings &settings, const std::string &user) {
    join::Command command;
    command.user = users::look_up(machine.target.root.get(), user);
    command.environment = environment_of(command.user, settings.environment);
    command.working_directory = settings.directory;
    return command;
}

std::string last_part(const std::string &path) {
    return path.substr(path.rfind('/') + 1);
}

} // namespace

int exec(const Invocation &invocation) {
    const Settings &settings = invocation.settings;
    const Machine machine = open_machine(invocation.arguments.front(), join::Look::to_run);
    join::Command command = command_for(machine, settings, settings.user);
    command.words.assign(invocation.arguments.begin() + 1, invocation.arguments.end());
    return run_session(joining(machine.target, command), terminal_for(settings));
}

int shell(const Invocation &invocation) {
    const Settings &settings = invocation.settings;
    std::string name = invocation.arguments.empty() ? "" : invocation.arguments.front();
    std::string user = settings.user;
    if (const auto at = name.find('@'); at != std::string::npos) {
        user = name.substr(0, at);
        name.erase(0, at + 1);
    }
    const Machine machine = open_machine(name, join::Look::to_run);
    join::Command command = command_for(machine, settings, user);
    if (command.working_directory.empty()) {
        command.working_directory = command.user.home;
        command.working_directory_optional = true;
    }
    if (invocation.arguments.size() > 1) {
        command.words.assign(invocation.arguments.begin() + 1, invocation.arguments.end());
    } else {
        command.words = {command.user.shell.empty() ? fallback_shell : command.user.shell};
        command.name = "-" + last_part(command.words.front());
    }
    const Terminal terminal = terminal_for(settings);
    const bool talk = terminal != Terminal::none && !settings.quiet;
    const std::string what = name.empty() || name == ".host" ? "the local host" : "machine " + name;
    if (talk)
        std::printf("Connected to %s. Press ^] three times within 1s to exit session.\n", what.c_str());
    std::fflush(stdout);
    const int code = run_session(joining(machine.target, command), terminal);
    if (talk)
        std::printf("Connection to %s terminated.\n", what.c_str());
    return code;
}

} // namespace berth::cli
