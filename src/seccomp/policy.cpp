// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/policy.hpp"

#include <linux/capability.h>

#include <array>
#include <cerrno>
#include <set>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "seccomp/groups.hpp"
#include "seccomp/words.hpp"

namespace berth::seccomp {

namespace {

/// What every machine may call, as under systemd-nspawn.
constexpr std::string_view always_allowed =
    "@aio @basic-io @chown @default @file-system @io-event @ipc @mount @network-io @process @resources "
    "@setuid @signal @sync @timer "
    "arm_fadvise64_64 cachestat capget capset copy_file_range fadvise64 fadvise64_64 flock get_mempolicy "
    "getcpu getpriority ioctl ioprio_get kcmp madvise mincore mremap name_to_handle_at oldolduname olduname "
    "personality readahead readdir remap_file_pages sched_get_priority_max sched_get_priority_min "
    "sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
    "sendfile sendfile64 setdomainname setfsgid setfsgid32 setfsuid setfsuid32 sethostname setpgid setsid "
    "splice sysinfo tee umask uname userfaultfd vmsplice";

struct WithCapability {
    unsigned capability;
    std::string_view word;
};

/// What a machine may call that keeps the capability.
constexpr std::array allowed_with{
    WithCapability{CAP_BPF, "bpf"},
    WithCapability{CAP_IPC_LOCK, "@memlock"},
    WithCapability{CAP_SYSLOG, "syslog"},
    WithCapability{CAP_SYS_BOOT, "reboot"},
    WithCapability{CAP_SYS_MODULE, "@module"},
    WithCapability{CAP_SYS_PACCT, "acct"},
    WithCapability{CAP_SYS_PTRACE, "ptrace"},
    WithCapability{CAP_SYS_RAWIO, "@raw-io"},
    WithCapability{CAP_SYS_TIME, "@clock"},
    WithCapability{CAP_SYS_TTY_CONFIG, "vhangup"},
};

constexpr Action not_permitted{.kind = Action::Kind::refuse, .error = EPERM};

[[nodiscard]] std::set<std::string_view> expand(std::string_view word) {
    return word.starts_with('@') ? members(word) : std::set{word};
}

void add_defaults(Policy &policy, std::uint64_t capabilities) {
    for (const std::string_view name : members("@known"))
        policy.calls.emplace(name, not_permitted);
    const auto allow = [&](std::string_view word) {
        for (const std::string_view name : expand(word))
            policy.calls.insert_or_assign(std::string(name), Action{});
    };
    for (const std::string_view word : words(always_allowed))
        allow(word);
    for (const WithCapability &entry : allowed_with)
        if ((capabilities >> entry.capability & 1) != 0)
            allow(entry.word);
}

[[nodiscard]] std::string suggestion(std::string_view word, const std::vector<std::string_view> &candidates) {
    const auto near = nearest(word, candidates);
    return near ? berth::format("; did you mean \"{}\"?", *near) : "";
}

[[nodiscard]] std::vector<std::string_view> known_names() {
    const auto known = members("@known");
    return {known.begin(), known.end()};
}

/// Throws when `rule` names a group that there is not; false when it is to be passed over.
[[nodiscard]] bool check(const Rule &rule, Policy &policy,
                         const std::function<bool(const std::string &)> &exists) {
    const std::string_view word = rule.word;
    if (word.starts_with('@')) {
        if (members(word).empty())
            fail("system call filter: there is no group \"{}\"{}", word, suggestion(word, group_names()));
        return true;
    }
    if (members("@known").contains(word) || exists(rule.word))
        return true;
    policy.warnings.push_back(
        berth::format("system call filter: \"{}\" is no system call known here, and is passed over{}", word,
                      suggestion(word, known_names())));
    return false;
}

/// What the user's rules say about each call they name.
[[nodiscard]] std::map<std::string, Action, std::less<>>
wanted(const std::vector<Rule> &rules, Policy &policy,
       const std::function<bool(const std::string &)> &exists) {
    std::map<std::string, Action, std::less<>> actions;
    for (const Rule &rule : rules) {
        if (!check(rule, policy, exists))
            continue;
        for (const std::string_view name : expand(rule.word)) {
            const auto [entry, added] = actions.emplace(name, rule.action);
            Action &there = entry->second;
            const bool stricter = rule.action.kind > there.kind;
            const bool more_exact = rule.action.kind == there.kind && rule.action != not_permitted;
            if (!added && (stricter || more_exact))
                there = rule.action;
        }
    }
    return actions;
}

/// Without these nothing runs; better said before than by a machine that does not start.
void require_startable(const Policy &policy) {
    for (const std::string_view name : {"execve", "exit_group", "mmap", "read"}) {
        const auto found = policy.calls.find(name);
        if (found == policy.calls.end() || found->second.kind > Action::Kind::log)
            fail("system call filter: it refuses {}, and no program starts without that; leave {} and the "
                 "groups with it out of what is refused",
                 name, name);
    }
}

} // namespace

Policy policy_for(const Request &request, const std::function<bool(const std::string &)> &exists) {
    Policy policy;
    add_defaults(policy, request.capabilities);
    for (const auto &[name, action] : wanted(parse_rules(request.rules), policy, exists))
        policy.calls.insert_or_assign(name, action);
    require_startable(policy);
    return policy;
}

} // namespace berth::seccomp
