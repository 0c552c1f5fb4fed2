// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/fs_identity.hpp"

#include <sys/capability.h>
#include <sys/fsuid.h>

#include <array>
#include <memory>
#include <span>

#include "base/error.hpp"

namespace berth {

namespace {

/// setfsuid(2) to another user clears these from the effective set.
constexpr std::array filesystem_capabilities{
    CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_LINUX_IMMUTABLE, CAP_MKNOD};

struct Free {
    void operator()(void *object) const noexcept { ::cap_free(object); }
};

/// Those that let us write where the user may not.
constexpr std::array overriding_capabilities{CAP_DAC_OVERRIDE, CAP_FOWNER};

/// Puts those of `capabilities` that we may have into the effective set, or takes them out.
void set_effective(std::span<const int> capabilities, cap_flag_value_t wanted) {
    const std::unique_ptr<_cap_struct, Free> ours(::cap_get_proc());
    if (!ours)
        fail_errno("reading our capabilities");
    for (const cap_value_t value : capabilities) {
        cap_flag_value_t permitted = CAP_CLEAR;
        if (::cap_get_flag(ours.get(), value, CAP_PERMITTED, &permitted) == 0 && permitted == CAP_SET
            && ::cap_set_flag(ours.get(), CAP_EFFECTIVE, 1, &value, wanted) < 0)
            fail_errno("setting capability {}", value);
    }
    if (::cap_set_proc(ours.get()) < 0)
        fail_errno("setting our capabilities");
}

} // namespace

FsIdentity::FsIdentity(uid_t id) : id_(id) {
    if (id_ == 0)
        return;
    // These never fail but say what was in force before.
    ::setfsgid(id_);
    ::setfsuid(id_);
    if (static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) != id_)
        fail("files cannot be made as user {}", id_);
    set_effective(filesystem_capabilities, CAP_SET);
}

PlainRights::PlainRights(uid_t id) : id_(id) {
    if (id_ != 0)
        set_effective(overriding_capabilities, CAP_CLEAR);
}

PlainRights::~PlainRights() {
    if (id_ == 0)
        return;
    try {
        set_effective(overriding_capabilities, CAP_SET);
    } catch (const Error &) { // NOLINT(bugprone-empty-catch): FsIdentity's end gives them back, too
    }
}

FsIdentity::~FsIdentity() {
    if (id_ == 0)
        return;
    ::setfsuid(0); // which gives the capabilities back
    ::setfsgid(0);
}

} // namespace berth
