// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/env_file.hpp"
#include "base/error.hpp"
#include "base/io.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "base/time_zone.hpp"
#include "plan/parts.hpp"

namespace berth::plan_parts {

namespace {

/// What the host tells of itself: container_host_* of the Container Interface.
void add_host_words(std::vector<std::pair<std::string, std::string>> &environment) {
    const auto text = read_file_if_there("/etc/os-release");
    if (!text)
        return;
    const auto host = parse_env_file(*text);
    for (const std::string_view key : {"ID", "BUILD_ID", "VERSION_ID", "VARIANT_ID"}) {
        std::string name = "container_host_" + std::string(key);
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
        if (const auto value = host.find(std::string(key)); value != host.end())
            environment.emplace_back(name, value->second);
    }
}

} // namespace

ProcessPlan process(const MachineConfig &config) {
    const ExecConfig &exec = config.exec;
    ProcessPlan plan{.limits = exec.limits,
                     .oom_score_adjust = exec.oom_score_adjust,
                     .cpu_affinity = exec.cpu_affinity,
                     .personality = exec.personality,
                     .no_new_privileges = exec.no_new_privileges,
                     .system_call_filter = exec.system_call_filter,
                     .suppress_sync = exec.suppress_sync,
                     .selinux_context = exec.selinux_context};
    const std::string origin = origin_of(config, "exec.ambient_capability", "--ambient-capability");
    if (std::ranges::contains(exec.ambient_capability, "all"))
        fail("{}: \"all\" is not taken here: name the capabilities", origin);
    plan.ambient = capabilities::from_names(exec.ambient_capability);
    if (plan.ambient != 0 && exec.boot)
        fail("{}: an init runs as root and has its capabilities anyway", origin);
    const bool labelled = !exec.selinux_context.empty() || !exec.selinux_apifs_context.empty();
    if (labelled && ::access("/sys/fs/selinux", F_OK) < 0)
        fail("{}: this host has no SELinux, so nothing could be labelled",
             exec.selinux_context.empty()
                 ? origin_of(config, "exec.selinux_apifs_context", "--selinux-apifs-context")
                 : origin_of(config, "exec.selinux_context", "--selinux-context"));
    return plan;
}

std::vector<std::pair<std::string, std::string>> environment(const MachineConfig &config,
                                                             const HostFacts &facts, const LaunchPlan &plan) {
    std::vector<std::pair<std::string, std::string>> environment{
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"container", plan.container},
        {"container_uuid", uuid_of(plan.machine_id)},
        {"TERM", facts.terminal_type.empty() ? "vt220" : facts.terminal_type},
        {"NOTIFY_SOCKET", "/run/host/notify"},
    };
    if (plan.mode != ExecMode::boot) // an init takes it from the tree's locale.conf(5)
        environment.emplace_back("LANG", "C.UTF-8");
    if (!plan.credentials.empty())
        environment.emplace_back("CREDENTIALS_DIRECTORY", "/run/host/credentials");
    add_host_words(environment);
    for (const auto &[name, value] : config.exec.environment) {
        const auto same = std::ranges::find(environment, name, [](const auto &entry) { return entry.first; });
        if (same != environment.end())
            same->second = value;
        else
            environment.emplace_back(name, value);
    }
    return environment;
}

std::vector<Credential> credentials(const MachineConfig &config, const HostFacts &facts) {
    std::vector<Credential> credentials = config.exec.credentials;
    for (Credential &credential : credentials) {
        if (!credential.is_path)
            continue;
        const bool of_unit = !credential.value.contains('/');
        if (of_unit && facts.credentials_directory.empty())
            fail(
                "{}: we run in no unit that was given credentials ($CREDENTIALS_DIRECTORY); for a file here, "
                "write ./{}",
                credential.origin.text, credential.value);
        credential.value =
            (std::filesystem::path(of_unit ? facts.credentials_directory : facts.working_directory)
             / credential.value)
                .native();
    }
    return credentials;
}

UnitPlan unit(const MachineConfig &config, const std::string &name) {
    const UnitConfig &asked = config.unit;
    if (asked.keep_unit && (!asked.properties.empty() || !asked.slice.empty()))
        fail("{}: the unit we run in is kept, so it takes no slice or properties from here",
             origin_of(config, "unit.keep_unit", "--keep-unit"));
    UnitPlan unit{.register_machine = asked.register_machine,
                  .keep_unit = asked.keep_unit,
                  .scope = {},
                  .slice = {},
                  .properties = asked.properties};
    if (!asked.keep_unit) {
        unit.scope = scope_name(name);
        unit.slice = asked.slice.empty() ? "machine.slice" : asked.slice;
        if (!unit.slice.ends_with(".slice"))
            unit.slice += ".slice";
    }
    return unit;
}

namespace {

/// True when systemd-resolved runs and answers at its stub. What it wrote stays behind when it ends,
/// and is a symlink while the stub is turned off (DNSStubListener=no, resolved.conf(5)).
bool has_stub_resolver() {
    struct stat st{};
    if (::lstat("/run/systemd/resolve/stub-resolv.conf", &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    const auto events =
        read_file_if_there("/sys/fs/cgroup/system.slice/systemd-resolved.service/cgroup.events");
    return events && events->contains("populated 1");
}

} // namespace

ResolvConf resolv_conf(ResolvConf mode, const LaunchPlan &plan) {
    if (mode != ResolvConf::automatic)
        return mode;
    if (plan.private_network())
        return ResolvConf::off; // the machine's network is no matter of the host's
    const bool bind = plan.root.read_only && !plan.root.usr_only;
    if (has_stub_resolver())
        return bind ? ResolvConf::bind_stub : ResolvConf::copy_stub;
    if (::access("/etc/resolv.conf", F_OK) == 0)
        return bind ? ResolvConf::bind_host : ResolvConf::copy_host;
    return bind ? ResolvConf::off : ResolvConf::remove;
}

Timezone timezone(Timezone mode, const LaunchPlan &plan) {
    if (mode != Timezone::automatic)
        return mode;
    if (plan.root.read_only)
        return Timezone::bind;
    if (!host_time_zone().empty())
        return Timezone::symlink;
    return ::access("/etc/localtime", F_OK) == 0 ? Timezone::copy : Timezone::remove;
}

LinkJournal link_journal(const MachineConfig &config, const RootPlan &root) {
    const LinkJournal &asked = config.exec.link_journal;
    if (root.upper != Upper::Kind::ephemeral || config.root.volatile_mode == Volatile::overlay)
        return asked;
    const bool wanted = asked.mode == LinkJournal::Mode::host || asked.mode == LinkJournal::Mode::guest;
    if (wanted && !asked.tolerant)
        fail("{}: a machine that throws away what it writes has no journal to keep",
             origin_of(config, "exec.link_journal", "--link-journal"));
    return {.mode = LinkJournal::Mode::no};
}

} // namespace berth::plan_parts
