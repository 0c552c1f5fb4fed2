// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/options.hpp"

#include <getopt.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "cli/style.hpp"

namespace berth::cli {

namespace {

struct Option {
    char letter;      ///< 0: none
    const char *name; ///< nullptr: a letter alone
    const char *argument;
    std::string_view help; ///< empty: not shown
    void (*apply)(Settings &, const char *);
};

unsigned number(const char *text, std::string_view option) {
    const auto value = parse_unsigned(text);
    if (!value || *value > std::numeric_limits<int>::max())
        fail("{} wants a number, not \"{}\"", option, text);
    return static_cast<unsigned>(*value);
}

void set_properties(Settings &settings, const char *text) {
    for (std::string &name : split(text, ','))
        if (!name.empty())
            settings.properties.push_back(std::move(name));
}

void set_signal(Settings &settings, const char *text) {
    const auto signal = parse_signal(text);
    if (!signal)
        fail("\"{}\" is not a signal; kill -l lists them", text);
    settings.signal = *signal;
}

void set_kill_whom(Settings &settings, const char *text) {
    settings.kill_whom = text;
    if (settings.kill_whom != "leader" && settings.kill_whom != "all")
        fail("--kill-whom= wants leader or all, not \"{}\"", text);
}

/// NAME=VALUE, or NAME for the value it has in our own environment.
void set_environment(Settings &settings, const char *text) {
    const std::string setting(text);
    if (setting.empty() || setting.front() == '=')
        fail("--setenv= wants NAME=VALUE, not \"{}\"", text);
    if (setting.contains('='))
        settings.environment.push_back(setting);
    else if (const char *value = std::getenv(text); value != nullptr)
        settings.environment.push_back(setting + "=" + value);
}

void set_max_addresses(Settings &settings, const char *text) {
    settings.max_addresses = std::string_view(text) == "all" ? std::numeric_limits<unsigned>::max()
                                                             : number(text, "--max-addresses=");
}

constexpr std::array output_modes{
    "short",           "short-full", "short-iso", "short-iso-precise", "short-precise", "short-unix",
    "short-monotonic", "cat",        "json",      "json-pretty",
};

void set_output(Settings &settings, const char *text) {
    if (!std::ranges::contains(output_modes, std::string_view(text))) {
        std::string known;
        for (const char *mode : output_modes)
            known += berth::format("{}{}", known.empty() ? "" : ", ", mode);
        fail("\"{}\" is not one of the output modes: {}", text, known);
    }
    settings.output = text;
}

using S = Settings;

// clang-format off
constexpr std::array options{
    Option{'h', "help", nullptr, "Show this help", nullptr},
    Option{0, "version", nullptr, "Show the version", nullptr},
    Option{0, "no-pager", nullptr, "Do not pipe output into a pager",
        [](S &s, const char *) { s.no_pager = true; }},
    Option{0, "no-legend", nullptr, "Do not show headers and footers",
        [](S &s, const char *) { s.no_legend = true; }},
    Option{0, "no-ask-password", nullptr, "Accepted; berth never asks for passwords",
        [](S &, const char *) {}},
    Option{'p', "property", "NAME", "Show only properties by this name",
        set_properties},
    Option{0, "value", nullptr, "When showing properties, only print the value",
        [](S &s, const char *) { s.only_values = true; }},
    Option{'P', nullptr, "NAME", "Equivalent to --value --property=NAME",
        [](S &s, const char *text) { s.only_values = true; set_properties(s, text); }},
    Option{'q', "quiet", nullptr, "Print no messages, only results",
        [](S &s, const char *) { s.quiet = true; }},
    Option{'a', "all", nullptr, "Show all machines and properties, hidden and empty ones too",
        [](S &s, const char *) { s.all = true; }},
    Option{'l', "full", nullptr, "Do not shorten output",
        [](S &s, const char *) { s.full = true; }},
    Option{0, "kill-whom", "WHOM", "Whom to send a signal to: leader or all",
        set_kill_whom},
    Option{'s', "signal", "SIGNAL", "Which signal to send",
        set_signal},
    Option{0, "uid", "USER", "User of the machine to run the command as",
        [](S &s, const char *text) { s.user = text; }},
    Option{'E', "setenv", "VAR[=VALUE]", "Set an environment variable for the command",
        set_environment},
    Option{0, "chdir", "PATH", "Directory of the machine to run the command in",
        [](S &s, const char *text) { s.directory = text; }},
    Option{0, "pty", nullptr, "Give the command a terminal of its own",
        [](S &s, const char *) { s.pty = true; }},
    Option{0, "pipe", nullptr, "Hand our stdin, stdout and stderr on",
        [](S &s, const char *) { s.pty = false; }},
    Option{'n', "lines", "INTEGER", "Number of log lines to show",
        [](S &s, const char *text) { s.lines = number(text, "--lines="); }},
    Option{0, "max-addresses", "INTEGER", "Number of addresses to show at most, or all",
        set_max_addresses},
    Option{'o', "output", "MODE", "Output as short, json, json-pretty; for log lines also cat, short-iso…",
        set_output},
    Option{0, "read-only", nullptr, "Make the mount read-only",
        [](S &s, const char *) { s.read_only = true; }},
    Option{0, "mkdir", nullptr, "Make the path to mount on when it is missing",
        [](S &s, const char *) { s.make_directories = true; }},
    Option{0, "file", "PATH", "File of the machine to show what is gained by running it",
        [](S &s, const char *text) { s.file = text; }},
    Option{0, "kind", "KIND", "Kinds of namespaces, commas between: cgroup, ipc, mnt, net, pid, time, user, uts",
        [](S &s, const char *text) { s.kinds = text; }},
    Option{0, "now", nullptr, "Start or power off the machine at once too",
        [](S &s, const char *) { s.now = true; }},
    Option{'H', "host", "HOST", "", [](S &, const char *host) {
        fail("--host= is not supported: use ssh {} berth …", host); }},
    Option{'M', "machine", "NAME", "", [](S &, const char *name) {
        fail("--machine= is not supported: use berth exec {} berth …", name); }},
};
// clang-format on

/// Values of getopt_long(3) for the table's rows lie above all letters.
constexpr int first_row = 256;

std::string short_options() {
    std::string text = "-"; // arguments in place, as they come
    for (const Option &option : options)
        if (option.letter != 0) {
            text += option.letter;
            if (option.argument != nullptr)
                text += ':';
        }
    return text;
}

std::vector<option> long_options() {
    std::vector<option> rows;
    for (std::size_t i = 0; i < options.size(); ++i)
        if (options[i].name != nullptr)
            rows.push_back({.name = options[i].name,
                            .has_arg = options[i].argument != nullptr ? required_argument : no_argument,
                            .flag = nullptr,
                            .val = first_row + static_cast<int>(i)});
    rows.push_back({});
    return rows;
}

const Option &option_of(int value) {
    if (value >= first_row)
        return options[static_cast<std::size_t>(value - first_row)];
    return *std::ranges::find(options, static_cast<char>(value), &Option::letter);
}

/// Verbs of machinectl that we do not have, and what to do instead.
constexpr std::array missing_verbs{
    std::pair{"login", "use berth shell"},
    std::pair{"copy-to", "use berth exec NAME with a pipe"},
    std::pair{"copy-from", "use berth exec NAME with a pipe"},
    std::pair{"bind", "use --bind= of berth run"},
};

const Verb &find_verb(std::string_view name, std::span<const Verb> verbs) {
    const auto found = std::ranges::find(verbs, name, &Verb::name);
    if (found != verbs.end())
        return *found;
    for (const auto &[missing, instead] : missing_verbs)
        if (name == missing)
            fail("the verb {} is not supported yet: {}", name, instead);
    std::vector<std::string_view> names{"run"};
    for (const Verb &verb : verbs)
        names.push_back(verb.name);
    if (const auto near = nearest(name, names))
        fail("unknown verb \"{}\", did you mean \"{}\"?", name, *near);
    fail("unknown verb \"{}\"; berth --help lists them", name);
}

std::string usage(const Verb &verb) {
    return berth::format("{}{}{}", verb.name, verb.arguments.empty() ? "" : " ", verb.arguments);
}

void check_count(const Verb &verb, std::size_t count) {
    if (count < verb.least)
        fail("too few arguments: berth {}", usage(verb));
    if (count > verb.most)
        fail("too many arguments: berth {}", usage(verb));
}

class Parser {
public:
    Parser(int argc, char **argv, std::span<const Verb> verbs) : argc_(argc), argv_(argv), verbs_(verbs) {}

    Parsed parse() {
        const std::string letters = short_options();
        const std::vector<option> rows = long_options();
        ::optind = 0; // start anew
        while (!done_) {
            const int value = ::getopt_long(argc_, argv_, letters.c_str(), rows.data(),
                                            nullptr); // NOLINT(concurrency-mt-unsafe)
            if (value < 0)
                break;
            take(value);
        }
        while (!done_ && ::optind < argc_) // what follows a "--"
            take_word(argv_[::optind++]);
        finish();
        return std::move(parsed_);
    }

private:
    void take(int value) {
        if (value == '?')
            throw Error(""); // getopt_long has told
        if (value == 1)
            return take_word(::optarg);
        const Option &option = option_of(value);
        if (option.apply != nullptr)
            option.apply(parsed_.invocation.settings, ::optarg);
        else
            parsed_.action = option.letter == 'h' ? Parsed::Action::help : Parsed::Action::version;
    }

    void take_word(const char *word) {
        Invocation &invocation = parsed_.invocation;
        if (invocation.verb == nullptr) {
            if (std::string_view(word) == "run") {
                parsed_.action = Parsed::Action::launcher;
                parsed_.launcher_arguments = ::optind;
                done_ = true;
                return;
            }
            invocation.verb = &find_verb(word, verbs_);
            return;
        }
        invocation.arguments.emplace_back(word);
        if (invocation.arguments.size() == invocation.verb->before_command)
            take_command();
    }

    /// All that is left is a command, whatever it looks like; "--" before it may stay or go.
    void take_command() {
        int next = ::optind;
        if (next < argc_ && std::string_view(argv_[next]) == "--")
            ++next;
        parsed_.invocation.arguments.insert(parsed_.invocation.arguments.end(), argv_ + next, argv_ + argc_);
        done_ = true;
    }

    void finish() {
        Invocation &invocation = parsed_.invocation;
        if (parsed_.action != Parsed::Action::run)
            return;
        if (invocation.verb == nullptr)
            invocation.verb = &find_verb("list", verbs_);
        if (invocation.verb->name == "help") {
            parsed_.action = Parsed::Action::help;
            invocation.verb =
                invocation.arguments.empty() ? nullptr : &find_verb(invocation.arguments.front(), verbs_);
            return;
        }
        check_count(*invocation.verb, invocation.arguments.size());
    }

    int argc_;
    char **argv_;
    std::span<const Verb> verbs_;
    Parsed parsed_;
    bool done_ = false;
};

void add_line(std::string &text, std::string_view left, std::string_view right) {
    constexpr std::size_t column = 32;
    text += berth::format("  {}", left);
    const std::size_t width = style::width(left);
    if (width + 3 > column)
        text += berth::format("\n{:{}}{}\n", "", column, right);
    else
        text += berth::format("{:{}}{}\n", "", column - 2 - width, right);
}

void add_option(std::string &text, const Option &option) {
    std::string left = option.letter != 0 ? berth::format("-{} ", option.letter) : "   ";
    if (option.name != nullptr)
        left += berth::format("--{}", option.name);
    if (option.argument != nullptr)
        left += berth::format("{}{}", option.name != nullptr ? "=" : "", option.argument);
    add_line(text, left, option.help);
}

bool concerns(const Verb *verb, const Option &option) {
    if (option.help.empty())
        return false;
    if (verb == nullptr || option.apply == nullptr)
        return true;
    const std::string_view name = option.name != nullptr ? option.name : std::string_view(&option.letter, 1);
    return std::ranges::contains(split(verb->options, ' '), name);
}

} // namespace

Parsed parse(int argc, char **argv, std::span<const Verb> verbs) {
    return Parser(argc, argv, verbs).parse();
}

std::string help(std::span<const Verb> verbs, const Verb *verb) {
    std::string text;
    if (verb != nullptr) {
        text = berth::format("berth [OPTION…] {}\n\n{}\n", usage(*verb), verb->help);
    } else {
        text = "berth [OPTION…] VERB [ARGUMENT…]\n\nRun machines, and control those that run.\n\nVerbs:\n";
        add_line(text, "run [OPTION…] [COMMAND…]", "Run a machine here and now (see berth run --help)");
        for (const Verb &each : verbs)
            add_line(text, usage(each), each.help);
    }
    text += "\nOptions:\n";
    for (const Option &option : options)
        if (concerns(verb, option))
            add_option(text, option);
    text += "\nSee berth(1) for details.\n";
    return text;
}

} // namespace berth::cli
