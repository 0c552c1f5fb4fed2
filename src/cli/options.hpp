// SPDX-License-Identifier: LGPL-2.1-or-later
// The command line: one table of options and one of verbs, from which parsing and help are made.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

/// How results are printed: "short" is people's form; "json" and "json-pretty" are for programs;
/// the others are ways to show log lines (journalctl(1)).
struct Settings {
    bool quiet = false;
    bool no_legend = false;
    bool no_pager = false;
    bool all = false;
    bool full = false;
    bool only_values = false;
    bool now = false;
    bool read_only = false;
    bool make_directories = false;
    std::vector<std::string> properties;
    std::string kill_whom = "all";
    int signal = 0; ///< 0: SIGTERM
    std::string user;
    std::vector<std::string> environment; ///< NAME=VALUE
    std::string directory;
    std::optional<bool> pty;
    unsigned lines = 10;
    std::optional<unsigned> max_addresses;
    std::string output = "short";
    std::string file;  ///< inside a machine
    std::string kinds; ///< of namespaces, commas between

    [[nodiscard]] bool json() const { return output == "json" || output == "json-pretty"; }
};

struct Verb;

/// A command line, taken apart.
struct Invocation {
    const Verb *verb = nullptr;
    Settings settings;
    std::vector<std::string> arguments; ///< without the verb
};

struct Verb {
    std::string_view name;
    std::string_view arguments; ///< as in the help
    std::size_t least;
    std::size_t most;
    /// How many arguments are ours when what follows is a command of its own, options and all;
    /// npos when the verb takes none.
    std::size_t before_command;
    std::string_view help;
    /// Options that mean something to it, by long name, separated by blanks.
    std::string_view options;
};

inline constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

/// What parsing asks for.
struct Parsed {
    enum class Action : unsigned char {
        run,  ///< the verb of `invocation`
        help, ///< of `invocation.verb`, or of all
        version,
        launcher, ///< berth-run, with the arguments from `launcher_arguments` on
    };
    Action action = Action::run;
    Invocation invocation;
    int launcher_arguments = 0;
};

/// Reads a command line. Throws Error for one that makes no sense; messages about options come
/// from getopt_long(3), after which an Error without text is thrown.
[[nodiscard]] Parsed parse(int argc, char **argv, std::span<const Verb> verbs);

/// The text of --help: of everything, or of one verb.
[[nodiscard]] std::string help(std::span<const Verb> verbs, const Verb *verb);

} // namespace berth::cli
