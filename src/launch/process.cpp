// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/process.hpp"

#include <linux/keyctl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/own_proc.hpp"

namespace berth::process {

namespace {

constexpr rlim_t kibi = 1024;
constexpr rlim_t mebi = 1024 * kibi;

/// What the kernel gives to PID 1 (include/asm-generic/resource.h of Linux), but for the hard limit
/// of open files: systemd gives all services that much, which it could not raise in a user
/// namespace. The two that depend on the machine's memory are read from the host's own.
constexpr std::array kernel_limits{
    ResourceLimit{RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY},
    ResourceLimit{RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY},
    ResourceLimit{RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY},
    ResourceLimit{RLIMIT_STACK, 8 * mebi, RLIM_INFINITY},
    ResourceLimit{RLIMIT_CORE, 0, RLIM_INFINITY},
    ResourceLimit{RLIMIT_RSS, RLIM_INFINITY, RLIM_INFINITY},
    ResourceLimit{RLIMIT_NOFILE, 1024, 512 * kibi},
    ResourceLimit{RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY},
    ResourceLimit{RLIMIT_MEMLOCK, 8 * mebi, 8 * mebi},
    ResourceLimit{RLIMIT_LOCKS, RLIM_INFINITY, RLIM_INFINITY},
    ResourceLimit{RLIMIT_MSGQUEUE, 819200, 819200},
    ResourceLimit{RLIMIT_NICE, 0, 0},
    ResourceLimit{RLIMIT_RTPRIO, 0, 0},
    ResourceLimit{RLIMIT_RTTIME, RLIM_INFINITY, RLIM_INFINITY},
};

/// Sets a limit as far as our rights go: without CAP_SYS_RESOURCE hard limits only go down.
void set_nearest(pid_t pid, const ResourceLimit &limit) {
    rlimit wanted{.rlim_cur = limit.soft, .rlim_max = limit.hard};
    if (::prlimit(pid, static_cast<__rlimit_resource>(limit.resource), &wanted, nullptr) == 0)
        return;
    rlimit present{};
    if (errno != EPERM
        || ::prlimit(pid, static_cast<__rlimit_resource>(limit.resource), nullptr, &present) < 0)
        fail_errno("setting resource limit {}", limit.resource);
    wanted.rlim_max = std::min(limit.hard, present.rlim_max);
    wanted.rlim_cur = std::min(limit.soft, wanted.rlim_max);
    if (::prlimit(pid, static_cast<__rlimit_resource>(limit.resource), &wanted, nullptr) < 0)
        fail_errno("setting resource limit {}", limit.resource);
}

void set_limits(const ProcessPlan &plan, pid_t pid) {
    std::vector<ResourceLimit> limits(kernel_limits.begin(), kernel_limits.end());
    for (const int resource : {RLIMIT_NPROC, RLIMIT_SIGPENDING}) {
        rlimit of_init{};
        if (::prlimit(1, static_cast<__rlimit_resource>(resource), nullptr, &of_init) == 0)
            limits.push_back({resource, of_init.rlim_cur, of_init.rlim_max});
    }
    for (const ResourceLimit &limit : limits)
        if (!std::ranges::contains(plan.limits, limit.resource, &ResourceLimit::resource))
            set_nearest(pid, limit);
    for (const ResourceLimit &limit : plan.limits)
        set_nearest(pid, limit); // what we may not have we cannot give
}

} // namespace

void limit(const ProcessPlan &plan, pid_t pid) {
    set_limits(plan, pid);
    if (plan.oom_score_adjust) {
        try {
            write_control(berth::format("/proc/{}/oom_score_adj", pid),
                          std::to_string(*plan.oom_score_adjust));
        } catch (const Error &error) {
            throw Error(std::string("--oom-score-adjust: ") + error.what(), error.code());
        }
    }
    if (!plan.cpu_affinity.empty()) {
        const std::size_t bytes = CPU_ALLOC_SIZE(plan.cpu_affinity.back() + 1);
        std::vector<unsigned long> mask(bytes / sizeof(unsigned long) + 1);
        auto *set = reinterpret_cast<cpu_set_t *>(mask.data());
        for (const unsigned cpu : plan.cpu_affinity)
            CPU_SET_S(cpu, bytes, set);
        if (::sched_setaffinity(pid, bytes, set) < 0)
            fail_errno("--cpu-affinity: none of these CPUs can be used");
    }
}

void keep_capabilities(const ProcessPlan &plan) {
    if (plan.ambient != 0 && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        fail_errno("keeping capabilities over a change of user");
}

void prepare(const ProcessPlan &plan) {
    // A keyring of its own: the caller's keys are none of the machine's business. Kernels without
    // keyrings, and filters around us that forbid them, are no hindrance.
    if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) < 0 && errno != ENOSYS
        && errno != EPERM && errno != EACCES)
        fail_errno("making a session keyring");
    if (plan.personality && ::personality(*plan.personality) < 0)
        fail_errno("--personality: setting it");
    if (!plan.selinux_context.empty())
        own_proc::write("attr/exec", plan.selinux_context);
    if (plan.ambient != 0)
        capabilities::raise_ambient(plan.ambient);
    if (plan.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail_errno("forbidding new privileges");
}

} // namespace berth::process
