// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/compile.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <initializer_list>
#include <span>

#include "base/error.hpp"
#include "seccomp/names.hpp"

namespace berth::seccomp {

namespace {

/// Arguments that are int have garbage in their upper half, which the kernel does not look at.
constexpr scmp_datum_t int_mask = 0xffffffff;
constexpr scmp_datum_t int_sign = 0x80000000;

/// A filter under construction, for one architecture until others are merged in.
class Filter {
public:
    Filter(const Architecture &architecture, std::uint32_t otherwise)
        : architecture_(architecture), context_(::seccomp_init(otherwise)) {
        if (context_ == nullptr)
            fail("libseccomp could not begin a filter of system calls");
        if (architecture.token != ::seccomp_arch_native()) {
            check(::seccomp_arch_add(context_, architecture.token), "adding an architecture");
            check(::seccomp_arch_remove(context_, SCMP_ARCH_NATIVE), "leaving out an architecture");
        }
        // There is no other architecture; and if there were, nothing should come through it.
        check(::seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)),
              "setting what other architectures are answered");
        check(::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2), "asking for a binary tree");
    }
    Filter(const Filter &) = delete;
    Filter &operator=(const Filter &) = delete;
    Filter(Filter &&other) noexcept
        : architecture_(std::move(other.architecture_)), context_(std::exchange(other.context_, nullptr)) {}
    Filter &operator=(Filter &&) = delete;
    ~Filter() {
        if (context_ != nullptr)
            ::seccomp_release(context_);
    }

    /// Answers calls of `name` whose arguments are as `arguments` say; nothing when the
    /// architecture has no such call.
    void add(const std::string &name, std::uint32_t action,
             std::initializer_list<scmp_arg_cmp> arguments = {}) {
        const int number = ::seccomp_syscall_resolve_name(name.c_str());
        if (number == __NR_SCMP_ERROR)
            return;
        const int result = ::seccomp_rule_add_exact_array(
            context_, action, number, static_cast<unsigned>(arguments.size()), std::data(arguments));
        // EDOM: not a call of this architecture. EINVAL: one whose arguments a filter does not see
        // there, since they are behind a pointer. EACCES: what happens to it anyway.
        const bool passed_over =
            result == -EDOM || result == -EACCES || (result == -EINVAL && arguments.size() != 0);
        if (!passed_over)
            check(result, "adding the system call " + name);
    }

    [[nodiscard]] bool has(const char *name) const {
        return ::seccomp_syscall_resolve_name_arch(architecture_.token, name) >= 0;
    }

    void merge(Filter other) {
        check(::seccomp_merge(context_, other.context_), "merging filters");
        other.context_ = nullptr;
    }

    [[nodiscard]] Program program() const {
        std::size_t size = 0;
        check(::seccomp_export_bpf_mem(context_, nullptr, &size), "measuring the filter");
        Program program(size / sizeof(sock_filter));
        check(::seccomp_export_bpf_mem(context_, program.data(), &size), "writing the filter");
        if (program.size() > BPF_MAXINSNS)
            fail("the filter of system calls has {} instructions, more than the kernel takes ({})",
                 program.size(), BPF_MAXINSNS);
        return program;
    }

private:
    static void check(int result, const std::string &doing) {
        if (result < 0)
            fail_code(-result, "{} (libseccomp)", doing);
    }

    Architecture architecture_;
    scmp_filter_ctx context_;
};

/// A program made by `fill` from a filter for each architecture.
[[nodiscard]] Program build(std::uint32_t otherwise, const std::function<void(Filter &)> &fill) {
    std::vector<Filter> filters;
    for (const Architecture &architecture : architectures())
        fill(filters.emplace_back(architecture, otherwise));
    for (Filter &other : std::span(filters).subspan(1))
        filters.front().merge(std::move(other));
    return filters.front().program();
}

[[nodiscard]] std::uint32_t scmp_action(const Action &action) {
    switch (action.kind) {
    case Action::Kind::allow: return SCMP_ACT_ALLOW;
    case Action::Kind::log: return SCMP_ACT_LOG;
    case Action::Kind::refuse: return SCMP_ACT_ERRNO(static_cast<std::uint32_t>(action.error));
    case Action::Kind::kill: break;
    }
    return SCMP_ACT_KILL_PROCESS;
}

/// Calls that some architectures have only, or also, as a case of another.
struct Shared {
    const char *entry;
    std::vector<std::string_view> calls;
};

[[nodiscard]] std::vector<Shared> shared_entries() {
    return {
        {.entry = "socketcall",
         .calls = {"socket",     "bind",    "connect", "listen",  "accept",   "getsockname", "getpeername",
                   "socketpair", "send",    "recv",    "sendto",  "recvfrom", "shutdown",    "setsockopt",
                   "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg"}},
        {.entry = "ipc",
         .calls = {"semop", "semget", "semctl", "semtimedop", "msgsnd", "msgrcv", "msgget", "msgctl", "shmat",
                   "shmdt", "shmget", "shmctl"}},
    };
}

/// True when the entry's own action is to hold for all that `shared` leads to.
[[nodiscard]] bool holds_for_all(const Shared &shared, const Policy &policy) {
    const auto kind_of = [&](std::string_view name) {
        const auto found = policy.calls.find(name);
        return found == policy.calls.end() ? Action::Kind::refuse : found->second.kind;
    };
    const Action::Kind entry = kind_of(shared.entry);
    return entry >= Action::Kind::refuse || std::ranges::all_of(shared.calls, [&](std::string_view name) {
               return kind_of(name) <= entry;
           });
}

void add_calls(Filter &filter, const Policy &policy) {
    const std::vector<Shared> shared = shared_entries();
    const auto entry_of = [&](std::string_view name) {
        return std::ranges::find_if(shared, [&](const Shared &entry) {
            return entry.entry == name || std::ranges::contains(entry.calls, name);
        });
    };
    for (const auto &[name, action] : policy.calls) {
        const auto entry = entry_of(name);
        // libseccomp gives the entry a case for each call that leads there. Answering the entry as
        // such overrides them all.
        if (entry != shared.end() && name == entry->entry && filter.has(entry->entry)
            && !holds_for_all(*entry, policy))
            continue;
        filter.add(name, scmp_action(action));
    }
}

} // namespace

Program calls_program(const Policy &policy) {
    return build(SCMP_ACT_ERRNO(ENOSYS), [&](Filter &filter) { add_calls(filter, policy); });
}

Program audit_program() {
    return build(SCMP_ACT_ALLOW, [](Filter &filter) {
        filter.add("socket", SCMP_ACT_ERRNO(EAFNOSUPPORT),
                   {SCMP_A0(SCMP_CMP_MASKED_EQ, int_mask, AF_NETLINK),
                    SCMP_A2(SCMP_CMP_MASKED_EQ, int_mask, NETLINK_AUDIT)});
    });
}

Program suppress_sync_program() {
    return build(SCMP_ACT_ALLOW, [](Filter &filter) {
        constexpr std::uint32_t success = SCMP_ACT_ERRNO(0);
        for (const char *name : {"sync", "msync"})
            filter.add(name, success);
        // A descriptor that cannot be one still fails.
        for (const char *name : {"fsync", "fdatasync", "syncfs", "sync_file_range", "sync_file_range2"})
            filter.add(name, success, {SCMP_A0(SCMP_CMP_MASKED_EQ, int_sign, 0)});
        // O_SYNC has the bit of O_DSYNC in it.
        filter.add("open", SCMP_ACT_ERRNO(EINVAL), {SCMP_A1(SCMP_CMP_MASKED_EQ, O_DSYNC, O_DSYNC)});
        filter.add("openat", SCMP_ACT_ERRNO(EINVAL), {SCMP_A2(SCMP_CMP_MASKED_EQ, O_DSYNC, O_DSYNC)});
        // openat2(2) has its flags in memory, where no filter can look.
    });
}

Bundle compile(const Request &request) {
    Policy policy = policy_for(request, is_call_name);
    Bundle bundle{.recipe = recipe(request),
                  .warnings = std::move(policy.warnings),
                  .libseccomp = library_version(),
                  .programs = {}};
    bundle.programs.push_back(audit_program());
    if (request.suppress_sync)
        bundle.programs.push_back(suppress_sync_program());
    // Last, since it may refuse seccomp(2); and of two programs that refuse, the last one's errno counts.
    bundle.programs.push_back(calls_program(policy));
    return bundle;
}

} // namespace berth::seccomp
