// SPDX-License-Identifier: LGPL-2.1-or-later
#include "join/bind_record.hpp"

#include <fcntl.h>
#include <sys/xattr.h>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "kernel/cgroup.hpp"
#include "systemd/process.hpp"

namespace berth {

namespace {

std::string name_of(std::uint64_t mount) {
    return berth::format("user.berth.bind.{}", mount);
}

} // namespace

BindRecord::BindRecord(int leader) {
    const process::Place place = process::place_of(leader, pidfd::pid_of(leader));
    if (place.cgroup.empty())
        fail("the machine is in no unit of systemd's, where what is mounted into it could be written down");
    const auto path = cgroup::mount_point() / place.cgroup.substr(1);
    group_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!group_)
        fail_errno("opening the control group {}", path.native());
}

void BindRecord::add(std::uint64_t mount, const std::string &path) const {
    if (::fsetxattr(group_.get(), name_of(mount).c_str(), path.data(), path.size(), 0) < 0)
        fail_errno("writing down at the machine's control group what is mounted on {}", path);
}

bool BindRecord::has(std::uint64_t mount) const {
    return ::fgetxattr(group_.get(), name_of(mount).c_str(), nullptr, 0) >= 0;
}

void BindRecord::remove(std::uint64_t mount) const noexcept {
    (void)::fremovexattr(group_.get(), name_of(mount).c_str()); // the number is no other mount's
}

} // namespace berth
