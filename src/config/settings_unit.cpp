// SPDX-License-Identifier: LGPL-2.1-or-later
// [unit], and what the command line alone has.
#include <array>

#include "base/error.hpp"
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

constexpr std::array<std::pair<std::string_view, ConsoleMode>, 5> console_modes{{
    {"interactive", ConsoleMode::interactive},
    {"read-only", ConsoleMode::read_only},
    {"passive", ConsoleMode::passive},
    {"pipe", ConsoleMode::pipe},
    {"autopipe", ConsoleMode::autopipe},
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
    Setting{"", "", "", "background", 0, text, "COLOR", "", privileged, "empty only: the terminal is not coloured",
        [](C &, V v, const O &) { if (!v.empty()) fail("the terminal's background is never changed; only an empty value is taken"); }},
    Setting{"", "", "", "quiet", 'q', boolean, "", "yes", privileged, "print no status of our own",
        [](C &c, V v, const O &) { c.quiet = truth(v); }},
};
// clang-format on

} // namespace

std::span<const Setting> tables::unit() {
    return table;
}

} // namespace berth
