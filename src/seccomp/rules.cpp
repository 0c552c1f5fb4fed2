// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/rules.hpp"

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "seccomp/words.hpp"

namespace berth::seccomp {

namespace {

/// The kernel's MAX_ERRNO.
constexpr int max_error = 4095;

[[nodiscard]] std::optional<int> parse_error(std::string_view text) {
    if (const auto number = parse_unsigned(text); number && *number >= 1 && *number <= max_error)
        return static_cast<int>(*number);
    // Second names, which strerrorname_np() does not know.
    if (text == "EWOULDBLOCK")
        return EWOULDBLOCK;
    if (text == "EDEADLOCK")
        return EDEADLOCK;
    if (text == "ENOTSUP")
        return ENOTSUP;
    for (int error = 1; error < max_error; ++error)
        if (const char *name = ::strerrorname_np(error); name != nullptr && text == name)
            return error;
    return std::nullopt;
}

[[nodiscard]] Action parse_action(std::string_view word, std::string_view text, bool refused) {
    if (text == "kill")
        return {.kind = Action::Kind::kill};
    if (text == "log") {
        if (refused)
            fail(R"(system call filter: "~" refuses "{}", but ":log" lets it through; leave one away)", word);
        return {.kind = Action::Kind::log};
    }
    const auto error = parse_error(text);
    if (!error)
        fail(R"(system call filter: "{}" in "{}" is no action; give kill, log, or an error such as EPERM)",
             text, word);
    return {.kind = Action::Kind::refuse, .error = *error};
}

[[nodiscard]] Rule parse_rule(std::string_view word, bool refused) {
    const auto colon = word.find(':');
    const std::string_view name = word.substr(0, colon);
    if (name.empty() || name == "@" || name.contains('~'))
        fail(R"(system call filter: "{}" names no system call or @group; "~" may only begin a list)", word);
    Rule rule{.word = std::string(name), .action = {}};
    if (colon != std::string_view::npos)
        rule.action = parse_action(word, word.substr(colon + 1), refused);
    else if (refused)
        rule.action = {.kind = Action::Kind::refuse, .error = EPERM};
    return rule;
}

} // namespace

std::vector<Rule> parse_rules(const std::vector<std::string> &lists) {
    std::vector<Rule> rules;
    for (const std::string &list : lists) {
        std::string_view text = trim(list);
        const bool refused = text.starts_with('~');
        if (refused)
            text.remove_prefix(1);
        for (const std::string_view word : words(text))
            rules.push_back(parse_rule(word, refused));
    }
    return rules;
}

} // namespace berth::seccomp
