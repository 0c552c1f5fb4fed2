// SPDX-License-Identifier: LGPL-2.1-or-later
// Variables of our environment that systemd-nspawn heeds (systemd: docs/ENVIRONMENT.md).
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "plan/parts.hpp"

namespace berth::plan_parts {

namespace {

struct Share {
    const char *variable;
    std::uint64_t namespaces;
};
constexpr std::array shares{Share{"SYSTEMD_NSPAWN_SHARE_NS_IPC", CLONE_NEWIPC},
                            Share{"SYSTEMD_NSPAWN_SHARE_NS_UTS", CLONE_NEWUTS}};

/// Those that we cannot do as they say, and what they say when that is what we do anyway.
struct Unheeded {
    const char *variable;
    bool is_so;
    const char *reason;
};
constexpr std::array unheeded{
    Unheeded{"SYSTEMD_NSPAWN_USE_CGNS", true, "a machine always has a cgroup namespace"},
    Unheeded{"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", true, "there is only the unified cgroup hierarchy"},
    Unheeded{"UNIFIED_CGROUP_HIERARCHY", true, "there is only the unified cgroup hierarchy"},
    Unheeded{"SYSTEMD_SECCOMP", true,
             "a machine always has a filter of system calls; see --system-call-filter="},
    Unheeded{"SYSTEMD_NSPAWN_SHARE_NS_PID", false,
             "a machine has a pid namespace, or another machine's (--pid-of=)"},
    Unheeded{"SYSTEMD_NSPAWN_SHARE_SYSTEM", false, "use --uts-of=, --ipc-of= and --pid-of="},
};

class Reader {
public:
    explicit Reader(LaunchPlan &plan) : plan_(plan) {}

    [[nodiscard]] const char *text(const char *name) const {
        return ::getenv(name); // NOLINT(concurrency-mt-unsafe): one thread
    }

    /// Nothing where it is not set.
    [[nodiscard]] std::optional<bool> truth(const char *name) const {
        const char *value = text(name);
        if (value == nullptr)
            return std::nullopt;
        const auto parsed = parse_bool(value);
        if (!parsed)
            fail("${}: \"{}\" is neither yes nor no", name, value);
        return parsed;
    }

    void warn(std::string text) { plan_.warnings.push_back(std::move(text)); }

private:
    LaunchPlan &plan_;
};

} // namespace

void heed_peer_environment(LaunchPlan &plan, const MachineConfig &config) {
    Reader reader(plan);
    plan.root.check_os =
        reader.truth("SYSTEMD_NSPAWN_CHECK_OS_RELEASE").value_or(true) || plan.mode != ExecMode::boot;
    plan.root.locked = reader.truth("SYSTEMD_NSPAWN_LOCK").value_or(true);
    plan.temporary_tmp = reader.truth("SYSTEMD_NSPAWN_TMPFS_TMP").value_or(true);
    constexpr const char *writable = "SYSTEMD_NSPAWN_API_VFS_WRITABLE";
    if (const char *value = reader.text(writable); value != nullptr && std::string_view(value) == "network")
        plan.api_writable = ApiWritable::network;
    else if (reader.truth(writable).value_or(false))
        plan.api_writable = ApiWritable::yes;
    // Who is root by number may write there what is the host's.
    if (plan.users.enabled && plan.api_writable == ApiWritable::yes)
        fail("${}: not with users of the machine's own", writable);
    if (!config.origins.contains("exec.suppress_sync"))
        plan.process.suppress_sync = reader.truth("SYSTEMD_SUPPRESS_SYNC").value_or(false);
    if (const char *service = reader.text("SYSTEMD_NSPAWN_CONTAINER_SERVICE"))
        plan.container = service;
    for (const auto &[variable, namespaces] : shares)
        if (reader.truth(variable).value_or(false)) {
            if (plan.mode != ExecMode::command)
                fail("${}: not with an init, which takes what it finds for its own", variable);
            plan.namespaces &= ~namespaces;
        }
    for (const auto &[variable, is_so, reason] : unheeded)
        if (const auto value = reader.truth(variable); value && *value != is_so)
            reader.warn(berth::format("${} is ignored: {}", variable, reason));
    if (reader.text("SYSTEMD_NSPAWN_NETWORK_MAC") != nullptr)
        reader.warn(
            "$SYSTEMD_NSPAWN_NETWORK_MAC is ignored: addresses follow from the names of machine and link");
}

} // namespace berth::plan_parts
