// SPDX-License-Identifier: LGPL-2.1-or-later
// berth: the front. It only decides which program does the work, and becomes it, so that
// `berth run` does not wait for libraries that only the bus needs. It uses nothing but libc.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/own_copy.hpp"
#include "build.hpp"

namespace {

/// One of our programs; its path is put together at build time.
struct Program {
    const char *name;
    bool enters; ///< machines
    std::array<char, 256> folder{};
    std::array<char, 256> path{};

    consteval Program(const char *program, bool enters_machines) : name(program), enters(enters_machines) {
        char *end = path.data();
        for (const std::string_view part :
             {berth::build::libexecdir, std::string_view("/"), std::string_view(program)})
            for (const char c : part)
                *end++ = c;
        end = folder.data();
        for (const char c : std::string_view(berth::build::libexecdir))
            *end++ = c;
    }
};

constexpr Program run("berth-run", true);
constexpr Program exec("berth-exec", true);
constexpr Program config("berth-config", false);
constexpr Program ns("berth-ns", true);
constexpr Program ctl("berth-ctl", false);

void say(const char *text) {
    // When even this fails nothing is left to do.
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text, std::strlen(text));
}

int become(const Program &program, char **argv) {
    if (program.enters) // it sees to it itself where this does not work, or has no need to
        berth::own_copy::become(program.folder.data(), program.name, argv, environ);
    ::execv(program.path.data(), argv);
    const char *reason = ::strerrordesc_np(errno);
    say("berth: starting ");
    say(program.path.data());
    say(": ");
    say(reason != nullptr ? reason : "unknown error");
    say("; is berth installed completely?\n");
    return 127;
}

} // namespace

int main(int argc, char **argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (verb == "run") {
        argv[1] = const_cast<char *>("berth run"); // nobody writes to it
        return become(run, argv + 1);
    }
    // Where an option comes before the verb, berth-ctl finds out.
    const bool joins = verb == "exec" || verb == "shell" || verb == "bind" || verb == "unbind";
    return become(joins ? exec : verb == "config" ? config : verb == "ns" ? ns : ctl, argv);
}
