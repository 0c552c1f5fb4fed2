// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/program.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "base/error.hpp"
#include "build.hpp"
#include "cli/pager.hpp"
#include "cli/style.hpp"
#include "cli/verbs.hpp"

namespace berth::cli {

namespace {

[[noreturn]] void become(std::string_view program, char **argv) {
    const std::string path = std::string(build::libexecdir) + "/" + std::string(program);
    ::execv(path.c_str(), argv);
    fail_errno("starting {}: is berth installed completely?", path);
}

/// What is closed would be taken by the next descriptor that is opened, and used as our stdio. In its place
/// comes what fails as that does: stdin cannot be read, and the others cannot be written to.
void fill_stdio() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (const int access = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
            ::fcntl(fd, F_GETFD) < 0
            && ::open("/dev/null", access | O_NOCTTY) < 0) // NOLINT: it is to stay open
            fail_errno("opening /dev/null in place of a closed descriptor");
}

void flush_output() {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
        fail_errno("writing to stdout");
}

/// The program that has the verb.
const char *program_of(const Verb &verb) {
    if (verb.name == "config")
        return "berth-config";
    if (verb.name == "ns")
        return "berth-ns";
    const bool joins = verb.before_command != unlimited || verb.name == "bind" || verb.name == "unbind";
    return joins ? "berth-exec" : "berth-ctl";
}

int run_verb(const Invocation &invocation, char **argv, std::span<const Action> actions) {
    const auto action = std::ranges::find(actions, invocation.verb->name, &Action::verb);
    if (action != actions.end()) {
        const Pager pager(action->paged && !invocation.settings.no_pager);
        const int code = action->run(invocation);
        flush_output();
        return code;
    }
    become(program_of(*invocation.verb), argv);
}

int run(int argc, char **argv, std::span<const Action> actions) {
    const Parsed parsed = parse(argc, argv, verbs());
    switch (parsed.action) {
    case Parsed::Action::help: {
        const Pager pager(!parsed.invocation.settings.no_pager);
        std::fputs(help(verbs(), parsed.invocation.verb).c_str(), stdout);
        return 0;
    }
    case Parsed::Action::version:
        std::printf("berth %.*s\n", static_cast<int>(build::version.size()), build::version.data());
        return 0;
    case Parsed::Action::launcher: {
        std::string name = "berth run";
        argv[parsed.launcher_arguments - 1] = name.data();
        become("berth-run", argv + parsed.launcher_arguments - 1);
    }
    case Parsed::Action::run: break;
    }
    return run_verb(parsed.invocation, argv, actions);
}

} // namespace

int run_program(int argc, char **argv, std::span<const Action> actions) {
    try {
        fill_stdio();
        return run(argc, argv, actions);
    } catch (const std::exception &error) {
        if (*error.what() != '\0')
            style::complain(error.what());
    }
    return 1;
}

} // namespace berth::cli
