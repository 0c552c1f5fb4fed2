// SPDX-License-Identifier: LGPL-2.1-or-later
// [unit], and what the command line alone has.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "config/settings_tables.hpp"
#include "config/values.hpp"

namespace berth {

namespace {

using values::choice;
using values::truth;

std::string property(std::string_view value) {
    if (!value.contains('=') || value.starts_with('='))
        fail("\"{}\" is not of the form NAME=VALUE", value);
    return std::string(value);
}

/// Parameters of SGR that set a background (ECMA-48, 8.3.117; console_codes(4)), or nothing.
std::string background(std::string_view value) {
    if (value.empty())
        return {};
    constexpr std::uint64_t bad = 1000;
    std::vector<std::uint64_t> numbers;
    for (const std::string &piece : split(value, ';'))
        numbers.push_back(parse_unsigned(piece).value_or(bad));
    const bool small = std::ranges::all_of(numbers, [](std::uint64_t number) { return number <= 255; });
    const std::uint64_t first = numbers[0];
    const bool plain =
        numbers.size() == 1 && ((first >= 40 && first <= 47) || (first >= 100 && first <= 107));
    const bool indexed = numbers.size() == 3 && first == 48 && numbers[1] == 5;
    const bool direct = numbers.size() == 5 && first == 48 && numbers[1] == 2;
    if (!small || (!plain && !indexed && !direct))
        fail("\"{}\" is no background colour: 40 to 47, 100 to 107, 48;5;NUMBER or 48;2;RED;GREEN;BLUE",
             value);
    return std::string(value);
}

constexpr std::array<std::pair<std::string_view, ConsoleMode>, 5> console_modes{{
    {"autopipe", ConsoleMode::autopipe},
    {"interactive", ConsoleMode::interactive},
    {"passive", ConsoleMode::passive},
    {"pipe", ConsoleMode::pipe},
    {"read-only", ConsoleMode::read_only},
}};

using C = MachineConfig;
using V = std::string_view;
using O = Origin;
using enum SettingType;
using enum Trust;

// clang-format off
constexpr std::array table{
    // section, key, in .nspawn, option, letter, type, argument, implied, trust, help, apply
    Setting{"unit", "register", "", "register", 0, boolean, "BOOL", "", privileged, "register the machine with berthd",
        [](C &c, V v, const O &) { c.unit.register_machine = truth(v); }},
    Setting{"unit", "keep_unit", "", "keep-unit", 0, boolean, "", "yes", privileged, "stay in the unit we run in, make no scope",
        [](C &c, V v, const O &) { c.unit.keep_unit = truth(v); }},
    Setting{"unit", "slice", "", "slice", 'S', text, "SLICE", "", privileged, "slice to put the scope in",
        [](C &c, V v, const O &) { c.unit.slice = v; }},
    Setting{"unit", "property", "", "property", 0, list, "NAME=VALUE", "", privileged, "set a unit property of the scope",
        [](C &c, V v, const O &) { c.unit.properties.push_back(property(v)); }},

    Setting{"", "", "", "console", 0, text, "MODE", "", privileged, "interactive, read-only, passive, pipe or autopipe",
        [](C &c, V v, const O &) { c.console = choice(v, console_modes); }},
    Setting{"", "", "", "pipe", 'P', boolean, "", "yes", privileged, "hand our stdin, stdout and stderr on, no pty",
        [](C &c, V v, const O &) { if (truth(v)) c.console = ConsoleMode::pipe; }},
    Setting{"", "", "", "background", 0, text, "COLOR", "", privileged, "background of our terminal meanwhile: 44, 48;5;N, 48;2;R;G;B",
        [](C &c, V v, const O &) { c.background = background(v); }},
    Setting{"", "", "", "quiet", 'q', boolean, "", "yes", privileged, "print no status of our own",
        [](C &c, V v, const O &) { c.quiet = truth(v); }},
};
// clang-format on

} // namespace

std::vector<std::string> tables::unit_words(std::string_view option) {
    return option == "console" ? values::words_of(console_modes) : std::vector<std::string>();
}

std::span<const Setting> tables::unit() {
    return table;
}

} // namespace berth
