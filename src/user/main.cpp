// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-user: tells of a user of the host. Name services load what libraries they like into whoever
// asks them; so the launcher has this program ask.
#include <cstdio>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/names.hpp"
#include "build.hpp"
#include "user/lookup.hpp"

namespace {

using namespace berth;

constexpr const char *help_text = R"(berth-user NAME

Prints what a machine may know of a user of the host, the hash of the password
included, as one line of JSON. berth's launcher starts this program.

  -h, --help        this text
      --version
)";

void run(std::span<char *const> words) {
    if (words.size() != 2)
        fail("the name of one user is needed; see berth-user --help");
    const std::string_view word = words[1];
    if (word == "-h" || word == "--help")
        write_all(1, help_text, "stdout");
    else if (word == "--version")
        write_all(1, berth::format("berth {}\n", build::version), "stdout");
    else if (!user_name_valid(word))
        fail("\"{}\" is no name of a user; see berth-user --help", c_escape(word));
    else
        write_all(1, user::to_text(user::look_up(std::string(word))), "stdout");
}

} // namespace

int main(int argc, char *argv[]) {
    try {
        run(std::span<char *const>(argv, static_cast<std::size_t>(argc)));
        return 0;
    } catch (const std::exception &error) {
        // Nothing before it: whoever started us puts the sentence into its own words.
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
