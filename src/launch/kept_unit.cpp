// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/kept_unit.hpp"

#include "base/error.hpp"
#include "kernel/cgroup.hpp"

namespace berth {

KeptUnit::KeptUnit(bool booting) : own_(cgroup::path_of(0)), unit_(cgroup::unit_part(own_)) {
    if (!booting)
        return;
    // An init wants controllers, which a group with processes in it cannot pass on.
    if (own_ == unit_) {
        const unique_fd supervisor = cgroup::make_subgroup(unit_, "supervisor");
        cgroup::move(supervisor.get(), 0);
        moved_ = true;
    }
    cgroup::delegate_controllers(unit_);
}

KeptUnit::~KeptUnit() {
    cgroup::remove(unit_ + "/payload");
    if (!moved_)
        return;
    try {
        const unique_fd unit = cgroup::make_subgroup(unit_, ".");
        cgroup::move(unit.get(), 0);
        cgroup::remove(unit_ + "/supervisor");
    } catch (const Error &) { // NOLINT(bugprone-empty-catch): the unit's end removes it
    }
}

int KeptUnit::renew_payload() {
    cgroup::remove(unit_ + "/payload");
    payload_ = cgroup::make_subgroup(unit_, "payload");
    return payload_.get();
}

} // namespace berth
