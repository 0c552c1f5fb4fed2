// SPDX-License-Identifier: LGPL-2.1-or-later
// [exec]
#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "config/mount_syntax.hpp"
#include "config/process_syntax.hpp"
#include "config/settings_tables.hpp"
#include "config/values.hpp"

namespace berth {

namespace {

using values::absolute;
using values::choice;
using values::truth;

void set_environment(MachineConfig &config, std::string_view value) {
    const auto [name, content] = process_syntax::environment(value);
    auto &all = config.exec.environment;
    const auto same = std::ranges::find(all, name, [](const auto &entry) { return entry.first; });
    if (same != all.end())
        same->second = content;
    else
        all.emplace_back(name, content);
}

/// What PID 1 is can only be one thing: what is said last counts, as a file that overrides.
void set_mode(bool &mode, bool &other, bool value) {
    mode = value;
    if (value)
        other = false;
}

void set_users(MachineConfig &config, std::string_view value) {
    UsersConfig &users = config.users;
    using Mode = UsersConfig::Mode;
    if (value == "pick" || value == "identity" || value == "managed") {
        users.mode = value == "pick" ? Mode::pick : value == "identity" ? Mode::identity : Mode::managed;
        return;
    }
    if (const auto parsed = parse_bool(value); parsed && value != "0" && value != "1") {
        users.mode = *parsed ? Mode::yes : Mode::no;
        return;
    }
    const auto [base, count] = process_syntax::id_range(value);
    users.mode = Mode::fixed;
    users.base = base;
    users.count = count;
}

std::string machine_id(std::string_view value) {
    const auto id = parse_id128(value);
    if (!id || *id == std::string(32, '0'))
        fail("\"{}\" is not a machine ID: 32 hexadecimal digits, not all zero", value);
    return *id;
}

int signal(std::string_view value) {
    const auto parsed = parse_signal(value);
    if (!parsed)
        fail("\"{}\" is not a signal", value);
    return *parsed;
}

void append(std::vector<std::string> &to, std::string_view value) {
    const std::vector<std::string> found = values::pieces(value);
    to.insert(to.end(), found.begin(), found.end());
}

constexpr std::array<std::pair<std::string_view, ResolvConf>, 15> resolv_conf_modes{{
    {"off", ResolvConf::off},
    {"copy-host", ResolvConf::copy_host},
    {"copy-static", ResolvConf::copy_static},
    {"copy-uplink", ResolvConf::copy_uplink},
    {"copy-stub", ResolvConf::copy_stub},
    {"replace-host", ResolvConf::replace_host},
    {"replace-static", ResolvConf::replace_static},
    {"replace-uplink", ResolvConf::replace_uplink},
    {"replace-stub", ResolvConf::replace_stub},
    {"bind-host", ResolvConf::bind_host},
    {"bind-static", ResolvConf::bind_static},
    {"bind-uplink", ResolvConf::bind_uplink},
    {"bind-stub", ResolvConf::bind_stub},
    {"delete", ResolvConf::remove},
    {"auto", ResolvConf::automatic},
}};

constexpr std::array<std::pair<std::string_view, Timezone>, 6> timezone_modes{{
    {"off", Timezone::off},
    {"copy", Timezone::copy},
    {"bind", Timezone::bind},
    {"symlink", Timezone::symlink},
    {"delete", Timezone::remove},
    {"auto", Timezone::automatic},
}};

constexpr std::array<std::pair<std::string_view, LinkJournal>, 6> journal_modes{{
    {"no", {LinkJournal::Mode::no, false}},
    {"auto", {LinkJournal::Mode::automatic, false}},
    {"host", {LinkJournal::Mode::host, false}},
    {"try-host", {LinkJournal::Mode::host, true}},
    {"guest", {LinkJournal::Mode::guest, false}},
    {"try-guest", {LinkJournal::Mode::guest, true}},
}};

NotifyReady notify_ready(std::string_view value) {
    if (value == "auto")
        return NotifyReady::automatic;
    return truth(value) ? NotifyReady::yes : NotifyReady::no;
}

/// As the peer has it, a truth value stands for a mode, too: yes for auto, no for `no`.
template <class T, std::size_t N>
T choice_or_truth(std::string_view value, std::string_view no,
                  const std::array<std::pair<std::string_view, T>, N> &choices) {
    const std::string_view word = values::yes_or_no(value);
    return choice(word == "yes" ? "auto" : word == "no" ? no : value, choices);
}

using C = MachineConfig;
using V = std::string_view;
using O = Origin;
using enum SettingType;
using enum Trust;

// clang-format off
constexpr std::array table{
    // section, key, in .nspawn, option, letter, type, argument, implied, trust, help, apply
    Setting{"exec", "boot", "Boot", "boot", 'b', boolean, "", "yes", anyone, "run the tree's init as PID 1",
        [](C &c, V v, const O &) { set_mode(c.exec.boot, c.exec.process_two, truth(v)); }},
    Setting{"exec", "process_two", "ProcessTwo", "as-pid2", 'a', boolean, "", "yes", anyone, "keep a small init as PID 1, run the command as PID 2",
        [](C &c, V v, const O &) { set_mode(c.exec.process_two, c.exec.boot, truth(v)); }},
    Setting{"exec", "ephemeral", "Ephemeral", "ephemeral", 'x', boolean, "", "yes", privileged, "throw away what the machine writes",
        [](C &c, V v, const O &) { c.root.ephemeral = truth(v); }},
    Setting{"exec", "parameters", "Parameters*", "", 0, list, "", "", anyone, "the command and its arguments",
        [](C &c, V v, const O &) { c.exec.command.emplace_back(v); }},
    Setting{"exec", "environment", "Environment", "setenv", 'E', mapping, "NAME[=VALUE]", "", anyone, "set an environment variable for PID 1",
        [](C &c, V v, const O &) { set_environment(c, v); }},
    Setting{"exec", "user", "User", "user", 'u', text, "USER", "", anyone, "run the command as this user of the tree",
        [](C &c, V v, const O &) { c.exec.user = v; }},
    Setting{"exec", "working_directory", "WorkingDirectory", "chdir", 0, text, "PATH", "", anyone, "directory inside to start in",
        [](C &c, V v, const O &) { c.exec.working_directory = absolute(v); }},
    Setting{"exec", "pivot_root", "PivotRoot", "pivot-root", 0, text, "PATH[:PATH]", "", anyone, "make this directory the root inside",
        [](C &c, V v, const O &) { parse_pivot(v, c.root.pivot_new, c.root.pivot_old); }},
    Setting{"exec", "hostname", "Hostname", "hostname", 0, text, "NAME", "", anyone, "host name, where it differs from the machine's name",
        [](C &c, V v, const O &) { require_machine_name(v); c.exec.hostname = v; }},
    Setting{"exec", "machine_id", "MachineID", "uuid", 0, text, "ID", "", privileged, "machine ID to boot with",
        [](C &c, V v, const O &) { c.exec.machine_id = machine_id(v); }},
    Setting{"exec", "kill_signal", "KillSignal", "kill-signal", 0, text, "SIGNAL", "", anyone, "signal that asks PID 1 to shut down",
        [](C &c, V v, const O &) { c.exec.kill_signal = signal(v); }},
    Setting{"exec", "notify_ready", "NotifyReady", "notify-ready", 0, text, "MODE", "", anyone, "ready only when PID 1 says so: yes, no, auto",
        [](C &c, V v, const O &) { c.exec.notify_ready = notify_ready(v); }},

    Setting{"exec", "private_users", "PrivateUsers", "private-users", 0, text, "[MODE]", "yes", privileged, "user namespace: no, yes, pick, identity, managed, UID[:COUNT]",
        [](C &c, V v, const O &) { set_users(c, v); }},
    Setting{"exec", "capability", "Capability", "capability", 0, list, "CAP", "", privileged, "keep these capabilities too (comma-separated, or all)",
        [](C &c, V v, const O &) { append(c.exec.capability, v); }},
    Setting{"exec", "drop_capability", "DropCapability", "drop-capability", 0, list, "CAP", "", anyone, "drop these capabilities too",
        [](C &c, V v, const O &) { append(c.exec.drop_capability, v); }},
    Setting{"exec", "ambient_capability", "AmbientCapability", "ambient-capability", 0, list, "CAP", "", privileged, "hand these capabilities to the command",
        [](C &c, V v, const O &) { append(c.exec.ambient_capability, v); }},
    Setting{"exec", "no_new_privileges", "NoNewPrivileges", "no-new-privileges", 0, boolean, "[BOOL]", "yes", anyone, "no program gains privileges by being executed",
        [](C &c, V v, const O &) { c.exec.no_new_privileges = truth(v); }},
    Setting{"exec", "system_call_filter", "SystemCallFilter", "system-call-filter", 0, list, "[~]LIST", "", deny_list, "allow (or, with ~, deny) system calls and @groups",
        [](C &c, V v, const O &) { c.exec.system_call_filter.emplace_back(v); }},
    Setting{"exec", "suppress_sync", "SuppressSync", "suppress-sync", 0, boolean, "BOOL", "", anyone, "fsync and its like do nothing",
        [](C &c, V v, const O &) { c.exec.suppress_sync = truth(v); }},

    Setting{"exec", "oom_score_adjust", "OOMScoreAdjust", "oom-score-adjust", 0, text, "VALUE", "", privileged, "-1000 to 1000: how readily the kernel kills it for memory",
        [](C &c, V v, const O &) { c.exec.oom_score_adjust = process_syntax::oom_score_adjust(v); }},
    Setting{"exec", "cpu_affinity", "CPUAffinity", "cpu-affinity", 0, list, "CPUS", "", privileged, "run on these CPUs only (0-3,5)",
        [](C &c, V v, const O &) { process_syntax::cpus(v, c.exec.cpu_affinity); }},
    Setting{"exec", "personality", "Personality", "personality", 0, text, "ARCH", "", anyone, "architecture that uname(2) reports: x86, x86-64",
        [](C &c, V v, const O &) { c.exec.personality = process_syntax::personality(v); }},
    Setting{"exec", "selinux_context", "", "selinux-context", 'Z', text, "LABEL", "", privileged, "SELinux label of the processes",
        [](C &c, V v, const O &) { c.exec.selinux_context = v; }},
    Setting{"exec", "selinux_apifs_context", "", "selinux-apifs-context", 'L', text, "LABEL", "", privileged, "SELinux label of files in /dev, /run and their like",
        [](C &c, V v, const O &) { c.exec.selinux_apifs_context = v; }},

    Setting{"exec", "resolv_conf", "ResolvConf", "resolv-conf", 0, text, "MODE", "", anyone, "/etc/resolv.conf inside: auto, off, copy-, replace-, bind-…, delete",
        [](C &c, V v, const O &) { c.exec.resolv_conf = choice_or_truth(v, "off", resolv_conf_modes); }},
    Setting{"exec", "timezone", "Timezone", "timezone", 0, text, "MODE", "", anyone, "/etc/localtime inside: auto, off, copy, bind, symlink, delete",
        [](C &c, V v, const O &) { c.exec.timezone = choice_or_truth(v, "off", timezone_modes); }},
    Setting{"exec", "link_journal", "LinkJournal", "link-journal", 0, text, "MODE", "", privileged, "journal seen by both: no, auto, host, try-host, guest, try-guest",
        [](C &c, V v, const O &) { c.exec.link_journal = choice_or_truth(v, "no", journal_modes); }},
    Setting{"exec", "set_credential", "", "set-credential", 0, list, "ID:VALUE", "", privileged, "hand a credential to the machine",
        [](C &c, V v, const O &o) { c.exec.credentials.push_back(process_syntax::credential(v, false, o)); }},
    Setting{"exec", "load_credential", "", "load-credential", 0, list, "ID:PATH", "", privileged, "hand a file to the machine as a credential",
        [](C &c, V v, const O &o) { c.exec.credentials.push_back(process_syntax::credential(v, true, o)); }},
    Setting{"exec", "private_time", "", "private-time", 0, boolean, "[BOOL]", "yes", anyone, "clocks since boot count from the machine's start",
        [](C &c, V v, const O &) { c.private_time = truth(v); }},
};
// clang-format on

} // namespace

std::vector<std::string> tables::exec_words(std::string_view option) {
    if (option == "resolv-conf")
        return values::words_of(resolv_conf_modes);
    if (option == "timezone")
        return values::words_of(timezone_modes);
    if (option == "kill-signal")
        return signal_names();
    return {};
}

std::span<const Setting> tables::exec() {
    return table;
}

} // namespace berth
