// SPDX-License-Identifier: LGPL-2.1-or-later
#include "run/options.hpp"

#include <getopt.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "config/mount_syntax.hpp"
#include "kernel/capabilities.hpp"

namespace berth {

namespace {

/// Values beyond all characters for options without a letter: settings first, then our own.
constexpr int first_setting = 1000;
enum Own : std::uint16_t {
    opt_help = 2000,
    opt_version,
    opt_dry_run,
    opt_timing,
    opt_settings,
    opt_no_pager
};
constexpr int first_alias = 3000;

/// Options that stand for others.
struct Alias {
    const char *option; ///< nullptr when there is only a letter
    char letter;        ///< 0 when there is only a name
    const char *help;
    std::vector<std::pair<const char *, const char *>> meaning;
};

std::vector<Alias> aliases() {
    return {
        {nullptr,
         'U',
         "--private-users=pick --private-users-ownership=auto",
         {{"private-users", "pick"}, {"private-users-ownership", "auto"}}},
        {nullptr, 'j', "--link-journal=try-guest", {{"link-journal", "try-guest"}}},
        {"private-users-chown", 0, "--private-users-ownership=chown", {{"private-users-ownership", "chown"}}},
    };
}

/// True for "[MODE]", but not for "[PROTOCOL:]PORT[:PORT]".
bool may_be_left_out(std::string_view argument) {
    return argument.starts_with('[') && argument.find(']') == argument.size() - 1;
}

int argument_kind(std::string_view argument) {
    if (argument.empty())
        return no_argument;
    return may_be_left_out(argument) ? optional_argument : required_argument;
}

struct Table {
    std::string letters = "+:h"; // "+": options end at the command; ":": we report errors
    std::vector<option> longs;
};

Table make_table() {
    Table table;
    int index = first_setting;
    for (const Setting *setting : settings()) {
        const int kind = argument_kind(setting->argument);
        if (!setting->option.empty())
            table.longs.push_back({setting->option.data(), kind, nullptr, index});
        if (setting->letter != 0) {
            table.letters += setting->letter;
            if (kind == required_argument)
                table.letters += ':';
        }
        ++index;
    }
    index = first_alias;
    for (const Alias &alias : aliases()) {
        if (alias.option != nullptr)
            table.longs.push_back({alias.option, no_argument, nullptr, index});
        if (alias.letter != 0)
            table.letters += alias.letter;
        ++index;
    }
    table.longs.push_back({"help", no_argument, nullptr, opt_help});
    table.longs.push_back({"version", no_argument, nullptr, opt_version});
    table.longs.push_back({"dry-run", optional_argument, nullptr, opt_dry_run});
    table.longs.push_back({"timing", optional_argument, nullptr, opt_timing});
    table.longs.push_back({"settings", required_argument, nullptr, opt_settings});
    table.longs.push_back({"no-pager", no_argument, nullptr, opt_no_pager});
    table.longs.push_back({});
    return table;
}

const Setting *setting_of(int value) {
    if (value >= first_setting && value < opt_help)
        return settings()[static_cast<std::size_t>(value - first_setting)];
    for (const Setting *setting : settings())
        if (setting->letter != 0 && setting->letter == value)
            return setting;
    return nullptr;
}

/// Adds what the alias behind getopt's `value` stands for; false when it is none.
bool take_alias(RunOptions &options, int value) {
    int index = first_alias;
    for (const Alias &alias : aliases()) {
        if (value == index++ || (alias.letter != 0 && value == alias.letter)) {
            for (const auto &[option, text] : alias.meaning)
                options.assignments.push_back({.setting = find_option(option),
                                               .value = text,
                                               .origin = {berth::format("--{}={}", option, text)}});
            return true;
        }
    }
    return false;
}

/// The words that an option takes, where it is given "help" and takes words.
std::vector<std::string> words_asked_for(const Setting &setting) {
    if (::optarg == nullptr || std::string_view(::optarg) != "help")
        return {};
    if (setting.option == "capability" || setting.option == "drop-capability"
        || setting.option == "ambient-capability")
        return capabilities::names(capabilities::all());
    return words_of(setting);
}

/// The value of an option: paths to mount are taken from where we are.
std::string as_given(const Setting &setting, const char *text) {
    if (setting.option == "user" && *text == '\0') // as of a variable that is not set: it shall not be root
        fail("--user=: no user is named");
    const bool overlay = setting.option == "overlay" || setting.option == "overlay-ro";
    if (!overlay && setting.option != "bind" && setting.option != "bind-ro")
        return text;
    std::error_code error;
    const std::string here = std::filesystem::current_path(error).native();
    return error ? text : with_absolute_sources(text, overlay, here);
}

[[noreturn]] void fail_unknown(const Table &table, const char *word) {
    std::vector<std::string_view> known;
    for (const option &entry : table.longs)
        if (entry.name != nullptr)
            known.emplace_back(entry.name);
    std::string_view name(word);
    name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
    name = name.substr(0, name.find('='));
    const auto near = nearest(name, known);
    fail("unknown option {}{}; see berth run --help", word,
         near ? berth::format(", did you mean --{}?", *near) : "");
}

/// Whether an option's argument, which may be left out, asks for JSON.
bool is_json(std::string_view option, std::string_view argument) {
    if (!argument.empty() && argument != "json" && argument != "text")
        fail("{}={}: the forms are text and json", option, argument);
    return argument == "json";
}

void take_own(RunOptions &options, int value) {
    using Action = RunOptions::Action;
    const std::string_view argument = ::optarg != nullptr ? ::optarg : "";
    switch (value) {
    case 'h':
    case opt_help: options.action = Action::help; break;
    case opt_version: options.action = Action::version; break;
    case opt_no_pager: break; // no pager is ever used here
    case opt_dry_run:
        options.action = is_json("--dry-run", argument) ? Action::dry_run_json : Action::dry_run;
        break;
    case opt_timing:
        options.timing = is_json("--timing", argument) ? Timing::Form::json : Timing::Form::text;
        break;
    case opt_settings: {
        const auto use = parse_bool(argument);
        if (argument == "override")
            options.use_files = UseFiles::override;
        else if (argument == "trusted")
            options.use_files = UseFiles::trusted;
        else if (use)
            options.use_files = *use ? UseFiles::yes : UseFiles::no;
        else
            fail("--settings={}: the choices are yes, no, override and trusted", argument);
        break;
    }
    default: fail("option {} is not handled", value);
    }
}

} // namespace

RunOptions parse_run_options(int argc, char *argv[]) {
    const Table table = make_table();
    RunOptions options;
    ::opterr = 0;
    ::optind = 1;
    for (;;) {
        const int word = ::optind;
        const int value =
            ::getopt_long(argc, argv, table.letters.c_str(), table.longs.data(), nullptr); // NOLINT
        if (value < 0)
            break;
        if (value == ':')
            fail("option {} needs an argument", argv[::optind - 1]);
        if (value == '?') {
            // getopt has moved past the word, or stands within one of several letters
            const std::string_view text(argv[word]);
            if (text.starts_with("--") || ::optopt == 0)
                fail_unknown(table, argv[word]);
            fail("unknown option -{}; see berth run --help", static_cast<char>(::optopt));
        }
        const Setting *setting = setting_of(value);
        if (setting == nullptr) {
            if (!take_alias(options, value))
                take_own(options, value);
            continue;
        }
        if (std::vector<std::string> words = words_asked_for(*setting); !words.empty()) {
            options.action = RunOptions::Action::words;
            options.words = std::move(words);
            return options; // what follows counts no more
        }
        const std::string name = setting->option.empty() ? "" : "--" + std::string(setting->option);
        options.assignments.push_back(
            {.setting = setting,
             .value = ::optarg != nullptr ? as_given(*setting, ::optarg) : std::string(setting->implied),
             .origin = {name + (::optarg != nullptr ? "=" + std::string(::optarg) : "")}});
    }
    const Setting *parameters = find_setting("exec", "parameters");
    for (int i = ::optind; i < argc; ++i)
        options.assignments.push_back({.setting = parameters, .value = argv[i], .origin = {"the command"}});
    return options;
}

namespace {

void add_line(std::string &text, char letter, const std::string &name, std::string_view help) {
    constexpr std::size_t column = 26;
    text += berth::format("  {} {:<{}} {}{}\n", letter != 0 ? berth::format("-{}", letter) : "  ", name,
                          column, name.size() > column ? "\n" + std::string(column + 6, ' ') : "", help);
}

} // namespace

std::string run_help() {
    std::string text = "berth run [OPTIONS…] [COMMAND [ARGUMENTS…]]\n\n"
                       "Run a command, or boot an OS, in a machine of its own.\n\n";
    add_line(text, 'h', "--help", "show this help");
    add_line(text, 0, "--version", "show the version");
    add_line(text, 0, "--dry-run[=json]", "print what would be done, do nothing");
    add_line(text, 0, "--timing[=json]", "print on stderr how long each step of the start took");
    add_line(text, 0, "--settings=HOW", "read NAME.toml or NAME.nspawn: yes, no, override, trusted");
    add_line(text, 0, "--no-pager", "taken for compatibility: there is none");
    for (const Setting *setting : settings()) {
        if (setting->option.empty())
            continue;
        std::string name = "--" + std::string(setting->option);
        if (may_be_left_out(setting->argument))
            name += "[=" + std::string(setting->argument.substr(1));
        else if (!setting->argument.empty())
            name += "=" + std::string(setting->argument);
        add_line(text, setting->letter, name, setting->help);
    }
    for (const Alias &alias : aliases())
        add_line(text, alias.letter, alias.option != nullptr ? std::string("--") + alias.option : "",
                 alias.help);
    return text + "\nSee the berth(1) man page for details.\n";
}

} // namespace berth
