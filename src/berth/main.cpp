// SPDX-License-Identifier: LGPL-2.1-or-later
// berth: the front. It only decides which program does the work, and becomes it, so that
// `berth run` does not wait for libraries that only the bus needs. It uses nothing but libc.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "build.hpp"

namespace {

/// The path of one of our programs, put together at build time.
struct Program {
    std::array<char, 256> path{};

    consteval explicit Program(std::string_view name) {
        char *end = path.data();
        for (const std::string_view part : {berth::build::libexecdir, std::string_view("/"), name})
            for (const char c : part)
                *end++ = c;
    }
};

constexpr Program run("berth-run");
constexpr Program exec("berth-exec");
constexpr Program config("berth-config");
constexpr Program ns("berth-ns");
constexpr Program ctl("berth-ctl");

void say(const char *text) {
    // When even this fails nothing is left to do.
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text, std::strlen(text));
}

int become(const Program &program, char **argv) {
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
