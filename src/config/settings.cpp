// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/settings.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "config/mount_syntax.hpp"

namespace berth {

namespace {

bool truth(std::string_view value) {
    const auto parsed = parse_bool(value);
    if (!parsed)
        fail("\"{}\" is neither yes nor no", value);
    return *parsed;
}

std::string absolute(std::string_view value) {
    if (!value.starts_with('/'))
        fail("\"{}\" is not an absolute path", value);
    return std::string(value);
}

void set_environment(MachineConfig &config, std::string_view value) {
    const auto at = value.find('=');
    const std::string name(value.substr(0, at));
    if (at == std::string_view::npos || name.empty())
        fail("\"{}\" is not of the form NAME=VALUE", value);
    const auto same =
        std::ranges::find(config.environment, name, [](const auto &entry) { return entry.first; });
    if (same != config.environment.end())
        same->second = value.substr(at + 1);
    else
        config.environment.emplace_back(name, value.substr(at + 1));
}

void set_volatile(MachineConfig &config, std::string_view value) {
    if (value == "overlay")
        config.volatile_mode = Volatile::overlay;
    else if (value == "state")
        config.volatile_mode = Volatile::state;
    else
        config.volatile_mode = truth(value) ? Volatile::yes : Volatile::no;
}

void set_upper(MachineConfig &config, std::string_view value) {
    if (value == "ephemeral")
        config.upper = Upper{.kind = Upper::Kind::ephemeral, .path = {}};
    else if (value == "persistent")
        config.upper = Upper{.kind = Upper::Kind::persistent, .path = {}};
    else if (value.starts_with('/'))
        config.upper = Upper{.kind = Upper::Kind::path, .path = std::string(value)};
    else
        fail("\"{}\" is neither \"ephemeral\", \"persistent\" nor an absolute path", value);
}

void set_console(MachineConfig &config, std::string_view value) {
    constexpr std::array<std::pair<std::string_view, ConsoleMode>, 5> modes{{
        {"interactive", ConsoleMode::interactive},
        {"read-only", ConsoleMode::read_only},
        {"passive", ConsoleMode::passive},
        {"pipe", ConsoleMode::pipe},
        {"autopipe", ConsoleMode::autopipe},
    }};
    const auto *const mode =
        std::ranges::find(modes, value, &std::pair<std::string_view, ConsoleMode>::first);
    if (mode == modes.end())
        fail("\"{}\" is not interactive, read-only, passive, pipe or autopipe", value);
    config.console = mode->second;
}

void set_id(MachineConfig &config, std::string_view value) {
    const auto id = parse_id128(value);
    if (!id || *id == std::string(32, '0'))
        fail("\"{}\" is not a machine ID: 32 hexadecimal digits, not all zero", value);
    config.machine_id = *id;
}

void set_signal(MachineConfig &config, std::string_view value) {
    config.kill_signal = parse_signal(value);
    if (!config.kill_signal)
        fail("\"{}\" is not a signal", value);
}

void set_property(MachineConfig &config, std::string_view value) {
    if (value.find('=') == std::string_view::npos || value.starts_with('='))
        fail("\"{}\" is not of the form NAME=VALUE", value);
    config.properties.emplace_back(value);
}

void add_capabilities(std::vector<std::string> &to, std::string_view value) {
    for (const std::string &name : split(value, ','))
        if (!trim(name).empty())
            to.emplace_back(trim(name));
}

void set_directory(MachineConfig &config, std::string_view value) {
    if (value.empty())
        fail("the directory is empty");
    config.directory = value;
}

// Short names keep the table readable.
using C = MachineConfig;
using V = std::string_view;
using O = Origin;
using enum SettingType;

// clang-format off
constexpr std::array table{
    // section, key, option, letter, type, argument, implied, privileged, help, apply
    Setting{"", "", "machine", 'M', text, "NAME", "", true, "name of the machine",
        [](C &c, V v, const O &) { require_machine_name(v); c.name = v; }},

    Setting{"root", "directory", "directory", 'D', text, "PATH", "", true, "the OS tree, lowest of the layers",
        [](C &c, V v, const O &) { set_directory(c, v); }},
    Setting{"root", "layers", "layer", 0, list, "PATH", "", true, "a lower layer of the root, lowest first (repeatable)",
        [](C &c, V v, const O &) { c.layers.push_back(absolute(v)); }},
    Setting{"root", "upper", "upper", 0, text, "WHERE", "", true, "what is written goes to: ephemeral, persistent, or a path",
        [](C &c, V v, const O &) { set_upper(c, v); }},

    Setting{"exec", "boot", "boot", 'b', boolean, "", "yes", false, "run the tree's init as PID 1",
        [](C &c, V v, const O &) { c.mode = truth(v) ? ExecMode::boot : ExecMode::command; }},
    Setting{"exec", "process_two", "as-pid2", 'a', boolean, "", "yes", false, "keep a small init as PID 1, run the command as PID 2",
        [](C &c, V v, const O &) { c.mode = truth(v) ? ExecMode::pid2 : ExecMode::command; }},
    Setting{"exec", "ephemeral", "ephemeral", 'x', boolean, "", "yes", false, "throw away what the machine writes",
        [](C &c, V v, const O &) { c.ephemeral = truth(v); }},
    Setting{"exec", "parameters", "", 0, list, "", "", false, "the command and its arguments",
        [](C &c, V v, const O &) { c.command.emplace_back(v); }},
    Setting{"exec", "environment", "setenv", 'E', mapping, "NAME=VALUE", "", false, "set an environment variable for PID 1",
        [](C &c, V v, const O &) { set_environment(c, v); }},
    Setting{"exec", "user", "user", 'u', text, "USER", "", false, "run the command as this user of the tree",
        [](C &c, V v, const O &) { c.user = v; }},
    Setting{"exec", "working_directory", "chdir", 0, text, "PATH", "", false, "directory inside to start in",
        [](C &c, V v, const O &) { c.working_directory = absolute(v); }},
    Setting{"exec", "hostname", "hostname", 0, text, "NAME", "", false, "host name, where it differs from the machine's name",
        [](C &c, V v, const O &) { require_machine_name(v); c.hostname = v; }},
    Setting{"exec", "machine_id", "uuid", 0, text, "ID", "", false, "machine ID to boot with",
        [](C &c, V v, const O &) { set_id(c, v); }},
    Setting{"exec", "kill_signal", "kill-signal", 0, text, "SIGNAL", "", false, "signal that asks PID 1 to shut down",
        [](C &c, V v, const O &) { set_signal(c, v); }},
    Setting{"exec", "notify_ready", "notify-ready", 0, boolean, "BOOL", "", false, "ready only when PID 1 says so",
        [](C &c, V v, const O &) { c.notify_ready = truth(v); }},
    Setting{"exec", "capability", "capability", 0, list, "CAP", "", true, "keep these capabilities too (comma-separated, or all)",
        [](C &c, V v, const O &) { add_capabilities(c.capability, v); }},
    Setting{"exec", "drop_capability", "drop-capability", 0, list, "CAP", "", false, "drop these capabilities too",
        [](C &c, V v, const O &) { add_capabilities(c.drop_capability, v); }},

    Setting{"files", "read_only", "read-only", 0, boolean, "", "yes", false, "mount the root read-only",
        [](C &c, V v, const O &) { c.read_only = truth(v); }},
    Setting{"files", "volatile", "volatile", 0, text, "[MODE]", "yes", false, "start without state: overlay",
        [](C &c, V v, const O &) { set_volatile(c, v); }},
    Setting{"files", "bind", "bind", 0, list, "PATH[:PATH[:OPTIONS]]", "", true, "bind mount a file or directory",
        [](C &c, V v, const O &o) { c.binds.push_back(parse_bind(v, false, o)); }},
    Setting{"files", "bind_read_only", "bind-ro", 0, list, "PATH[:PATH[:OPTIONS]]", "", true, "the same, read-only",
        [](C &c, V v, const O &o) { c.binds.push_back(parse_bind(v, true, o)); }},
    Setting{"files", "temporary_file_system", "tmpfs", 0, list, "PATH[:OPTIONS]", "", false, "mount an empty tmpfs",
        [](C &c, V v, const O &o) { c.tmpfs.push_back(parse_tmpfs(v, o)); }},

    Setting{"network", "private", "private-network", 0, boolean, "", "yes", false, "a network namespace with loopback alone",
        [](C &c, V v, const O &) { c.private_network = truth(v); }},

    Setting{"unit", "register", "register", 0, boolean, "BOOL", "", true, "register the machine with berthd",
        [](C &c, V v, const O &) { c.register_machine = truth(v); }},
    Setting{"unit", "keep_unit", "keep-unit", 0, boolean, "", "yes", true, "stay in the unit we run in, make no scope",
        [](C &c, V v, const O &) { c.keep_unit = truth(v); }},
    Setting{"unit", "slice", "slice", 'S', text, "SLICE", "", true, "slice to put the scope in",
        [](C &c, V v, const O &) { c.slice = v; }},
    Setting{"unit", "property", "property", 0, list, "NAME=VALUE", "", true, "set a unit property of the scope",
        [](C &c, V v, const O &) { set_property(c, v); }},

    Setting{"", "", "console", 0, text, "MODE", "", true, "interactive, read-only, passive, pipe or autopipe",
        [](C &c, V v, const O &) { set_console(c, v); }},
    Setting{"", "", "pipe", 'P', boolean, "", "yes", true, "hand our stdin, stdout and stderr on, no pty",
        [](C &c, V v, const O &) { if (truth(v)) c.console = ConsoleMode::pipe; }},
    Setting{"", "", "quiet", 'q', boolean, "", "yes", true, "print no status of our own",
        [](C &c, V v, const O &) { c.quiet = truth(v); }},
};
// clang-format on

} // namespace

std::span<const Setting> settings() {
    return table;
}

const Setting *find_setting(std::string_view section, std::string_view key) {
    const auto *const found = std::ranges::find_if(
        table, [&](const Setting &s) { return !s.key.empty() && s.section == section && s.key == key; });
    return found == table.end() ? nullptr : found;
}

std::string setting_name(const Setting &setting) {
    return setting.key.empty() ? "--" + std::string(setting.option)
                               : std::format("{}.{}", setting.section, setting.key);
}

void apply(MachineConfig &config, std::span<const Assignment> assignments) {
    for (const Assignment &assignment : assignments) {
        try {
            assignment.setting->apply(config, assignment.value, assignment.origin);
        } catch (const Error &error) {
            throw Error(assignment.origin.text + ": " + error.what(), error.code());
        }
        config.origins[setting_name(*assignment.setting)] = assignment.origin;
    }
}

} // namespace berth
