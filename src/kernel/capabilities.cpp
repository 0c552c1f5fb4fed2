// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/capabilities.hpp"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "base/error.hpp"
#include "base/io.hpp"

namespace berth::capabilities {

namespace {

struct Free {
    void operator()(void *object) const noexcept { ::cap_free(object); }
};

constexpr Set bit(cap_value_t capability) noexcept {
    return Set{1} << static_cast<unsigned>(capability);
}

constexpr std::array default_members{
    CAP_AUDIT_CONTROL,
    CAP_AUDIT_WRITE,
    CAP_CHOWN,
    CAP_DAC_OVERRIDE,
    CAP_DAC_READ_SEARCH,
    CAP_FOWNER,
    CAP_FSETID,
    CAP_IPC_OWNER,
    CAP_KILL,
    CAP_LEASE,
    CAP_LINUX_IMMUTABLE,
    CAP_MKNOD,
    CAP_NET_BIND_SERVICE,
    CAP_NET_BROADCAST,
    CAP_NET_RAW,
    CAP_SETFCAP,
    CAP_SETGID,
    CAP_SETPCAP,
    CAP_SETUID,
    CAP_SYS_ADMIN,
    CAP_SYS_BOOT,
    CAP_SYS_CHROOT,
    CAP_SYS_NICE,
    CAP_SYS_PTRACE,
    CAP_SYS_RESOURCE,
    CAP_SYS_TTY_CONFIG,
};

} // namespace

Set all() {
    const int count = ::cap_max_bits();
    return count >= 64 ? ~Set{0} : (Set{1} << static_cast<unsigned>(count)) - 1;
}

Set default_bounding(bool private_network) {
    Set set = private_network ? bit(CAP_NET_ADMIN) : 0;
    for (const cap_value_t member : default_members)
        set |= bit(member);
    return set & all();
}

Set from_names(const std::vector<std::string> &names) {
    Set set = 0;
    for (const std::string &name : names) {
        if (name == "all") {
            set |= all();
            continue;
        }
        std::string lower = name;
        std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
        cap_value_t value = 0;
        if (::cap_from_name(lower.c_str(), &value) < 0)
            fail("\"{}\" is not a capability; capabilities(7) lists them", name);
        set |= bit(value);
    }
    return set;
}

Set system_administration() {
    return bit(CAP_SYS_ADMIN);
}

std::vector<std::string> names(Set set) {
    std::vector<std::string> names;
    for (int value = 0; value < 64; ++value) {
        if ((set & bit(value)) == 0)
            continue;
        const std::unique_ptr<char, Free> name(::cap_to_name(value));
        names.emplace_back(name ? name.get() : berth::format("{}", value));
    }
    return names;
}

Set bounding_of(pid_t pid) {
    const std::string path = berth::format("/proc/{}/status", pid);
    const std::string status = read_file(path);
    constexpr std::string_view key = "\nCapBnd:\t";
    const auto at = status.find(key);
    if (at == std::string::npos)
        fail("{} has no CapBnd", path);
    Set set = 0;
    std::from_chars(status.data() + at + key.size(), status.data() + status.size(), set, 16);
    return set;
}

Set own_bounding() {
    Set set = 0;
    for (int value = 0; value < ::cap_max_bits(); ++value)
        if (::prctl(PR_CAPBSET_READ, value, 0, 0, 0) == 1)
            set |= bit(value);
    return set;
}

void bound(Set set) {
    for (int value = 0; value < ::cap_max_bits(); ++value) {
        if ((set & bit(value)) != 0)
            continue;
        if (::prctl(PR_CAPBSET_DROP, value, 0, 0, 0) < 0)
            fail_errno("dropping capability {} from the bounding set", value);
    }
}

void reduce(Set set) {
    const std::unique_ptr<_cap_struct, Free> ours(::cap_get_proc());
    if (!ours)
        fail_errno("reading our capabilities");
    for (int value = 0; value < ::cap_max_bits(); ++value) {
        if ((set & bit(value)) != 0)
            continue;
        for (const cap_flag_t flag : {CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE})
            if (::cap_set_flag(ours.get(), flag, 1, &value, CAP_CLEAR) < 0)
                fail_errno("clearing capability {}", value);
    }
    if (::cap_set_proc(ours.get()) < 0)
        fail_errno("setting our capabilities");
}

void set_own(Set set) {
    const std::unique_ptr<_cap_struct, Free> ours(::cap_get_proc());
    const std::unique_ptr<_cap_struct, Free> wanted(::cap_init());
    if (!ours || !wanted)
        fail_errno("reading our capabilities");
    for (int value = 0; value < ::cap_max_bits(); ++value) {
        cap_flag_value_t permitted = CAP_CLEAR;
        if ((set & bit(value)) == 0 || ::cap_get_flag(ours.get(), value, CAP_PERMITTED, &permitted) < 0
            || permitted == CAP_CLEAR)
            continue;
        for (const cap_flag_t flag : {CAP_EFFECTIVE, CAP_PERMITTED})
            if (::cap_set_flag(wanted.get(), flag, 1, &value, CAP_SET) < 0)
                fail_errno("setting capability {}", value);
    }
    if (::cap_set_proc(wanted.get()) < 0)
        fail_errno("setting our capabilities");
}

void limit_to(Set set) {
    bound(set);
    reduce(set);
}

void raise_ambient(Set set) {
    const std::unique_ptr<_cap_struct, Free> ours(::cap_get_proc());
    if (!ours)
        fail_errno("reading our capabilities");
    for (int value = 0; value < ::cap_max_bits(); ++value) {
        if ((set & bit(value)) == 0)
            continue;
        for (const cap_flag_t flag : {CAP_EFFECTIVE, CAP_INHERITABLE})
            if (::cap_set_flag(ours.get(), flag, 1, &value, CAP_SET) < 0)
                fail_errno("setting capability {}", value);
    }
    if (::cap_set_proc(ours.get()) < 0)
        fail_errno("making capabilities inheritable");
    for (int value = 0; value < ::cap_max_bits(); ++value)
        if ((set & bit(value)) != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, value, 0, 0) < 0)
            fail_errno("making capability {} ambient", value);
}

} // namespace berth::capabilities
