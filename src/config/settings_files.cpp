// SPDX-License-Identifier: LGPL-2.1-or-later
// [files]
#include <array>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "config/mount_syntax.hpp"
#include "config/settings_tables.hpp"
#include "config/values.hpp"

namespace berth {

namespace {

using values::choice;
using values::truth;

Volatile volatile_mode(std::string_view value) {
    if (value == "overlay")
        return Volatile::overlay;
    if (value == "state")
        return Volatile::state;
    return truth(value) ? Volatile::yes : Volatile::no;
}

BindUser bind_user(std::string_view value, const Origin &origin) {
    if (!user_name_valid(value))
        fail("\"{}\" is no name of a user", c_escape(value));
    return {.name = std::string(value), .origin = origin};
}

std::optional<std::string> bind_user_shell(std::string_view value) {
    if (value.starts_with('/'))
        return std::string(value);
    const auto of_host = parse_bool(value);
    if (!of_host)
        fail("\"{}\" is not yes, no or an absolute path", value);
    return *of_host ? std::optional<std::string>("") : std::nullopt;
}

constexpr std::array<std::pair<std::string_view, UsersConfig::Ownership>, 4> ownerships{{
    {"off", UsersConfig::Ownership::off},
    {"chown", UsersConfig::Ownership::chown},
    {"map", UsersConfig::Ownership::map},
    {"auto", UsersConfig::Ownership::automatic},
}};

/// As the peer has it, a truth value stands for auto or off, too.
UsersConfig::Ownership ownership(std::string_view value) {
    const std::string_view word = values::yes_or_no(value);
    return choice(word == "yes" ? "auto" : word == "no" ? "off" : value, ownerships);
}

using C = MachineConfig;
using V = std::string_view;
using O = Origin;
using enum SettingType;
using enum Trust;

// clang-format off
constexpr std::array table{
    // section, key, in .nspawn, option, letter, type, argument, implied, trust, help, apply
    Setting{"files", "read_only", "ReadOnly", "read-only", 0, boolean, "", "yes", anyone, "mount the root read-only",
        [](C &c, V v, const O &) { c.root.read_only = truth(v); }},
    Setting{"files", "volatile", "Volatile", "volatile", 0, text, "[MODE]", "yes", anyone, "start without state: yes, state or overlay",
        [](C &c, V v, const O &) { c.root.volatile_mode = volatile_mode(v); }},
    Setting{"files", "bind", "Bind", "bind", 0, list, "PATH[:PATH[:OPTIONS]]", "", privileged, "bind mount a file or directory",
        [](C &c, V v, const O &o) { c.mounts.push_back(parse_bind(v, false, o)); }},
    Setting{"files", "bind_read_only", "BindReadOnly", "bind-ro", 0, list, "PATH[:PATH[:OPTIONS]]", "", privileged, "the same, read-only",
        [](C &c, V v, const O &o) { c.mounts.push_back(parse_bind(v, true, o)); }},
    Setting{"files", "temporary_file_system", "TemporaryFileSystem", "tmpfs", 0, list, "PATH[:OPTIONS]", "", privileged, "mount an empty tmpfs",
        [](C &c, V v, const O &o) { c.mounts.push_back(parse_tmpfs(v, o)); }},
    Setting{"files", "inaccessible", "Inaccessible", "inaccessible", 0, list, "PATH", "", privileged, "hide a file or directory",
        [](C &c, V v, const O &o) { c.mounts.push_back(parse_inaccessible(v, o)); }},
    Setting{"files", "overlay", "Overlay", "overlay", 0, list, "PATH[:PATH…]:PATH", "", privileged, "mount an overlay of the first paths, the last of them written to",
        [](C &c, V v, const O &o) { c.mounts.push_back(parse_overlay(v, false, o)); }},
    Setting{"files", "overlay_read_only", "OverlayReadOnly", "overlay-ro", 0, list, "PATH[:PATH…]:PATH", "", privileged, "the same, with nothing written to",
        [](C &c, V v, const O &o) { c.mounts.push_back(parse_overlay(v, true, o)); }},
    Setting{"files", "private_users_ownership", "PrivateUsersOwnership", "private-users-ownership", 0, text, "MODE", "", privileged, "owners of the tree's files: auto, map, chown or off",
        [](C &c, V v, const O &) { c.users.ownership = ownership(v); }},
    Setting{"files", "bind_user", "BindUser*", "bind-user", 0, list, "NAME", "", privileged, "make a user of the host known inside, with the home directory",
        [](C &c, V v, const O &o) { c.users.bind_users.push_back(bind_user(v, o)); }},
    Setting{"files", "bind_user_shell", "", "bind-user-shell", 0, text, "BOOL|PATH", "", privileged, "their shell: yes for the one each has on the host, no, or a path",
        [](C &c, V v, const O &) { c.users.bind_user_shell = bind_user_shell(v); }},
};
// clang-format on

} // namespace

std::vector<std::string> tables::files_words(std::string_view option) {
    if (option == "private-users-ownership")
        return values::words_of(ownerships);
    if (option == "volatile")
        return {"no", "yes", "state", "overlay"};
    return {};
}

std::span<const Setting> tables::files() {
    return table;
}

} // namespace berth
