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

/// The path of one of our programs, zero-terminated, put together at build time.
template <std::size_t N>
consteval auto program(const char (&name)[N]) {
    constexpr std::string_view folder = berth::build::libexecdir;
    std::array<char, folder.size() + 1 + N> path{};
    char *end = path.data();
    for (const char c : folder)
        *end++ = c;
    *end++ = '/';
    for (const char c : name)
        *end++ = c;
    return path;
}

constexpr auto run = program("berth-run");
constexpr auto exec = program("berth-exec");
constexpr auto ctl = program("berth-ctl");

void say(const char *text) {
    // When even this fails nothing is left to do.
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text, std::strlen(text));
}

int become(const char *path, char *argv[]) {
    ::execv(path, argv);
    const char *reason = ::strerrordesc_np(errno);
    say("berth: starting ");
    say(path);
    say(": ");
    say(reason != nullptr ? reason : "unknown error");
    say(": is berth installed completely?\n");
    return 127;
}

} // namespace

int main(int argc, char *argv[]) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (verb == "run") {
        static char name[] = "berth run";
        argv[1] = name;
        return become(run.data(), argv + 1);
    }
    // Where an option comes before the verb, berth-ctl finds out.
    return become(verb == "exec" || verb == "shell" ? exec.data() : ctl.data(), argv);
}
