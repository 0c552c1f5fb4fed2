// SPDX-License-Identifier: LGPL-2.1-or-later
// /run/host: what the Container Interface of systemd puts there.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/unique_fd.hpp"
#include "plan/plan.hpp"
#include "root/unix_export.hpp"

namespace berth::host_dir {

/// /run/host while it is being filled.
struct HostDir {
    unique_fd mount;  ///< its own small tmpfs
    unique_fd notify; ///< the notify socket, bound, with credentials passed (SO_PASSCRED)
};

/// Fills /run/host, which `mount` is the mount of: container-manager,
/// container-uuid, os-release, incoming, inaccessible/, credentials/, unix-export/ and the
/// notify socket. They belong to the user `owner`.
[[nodiscard]] HostDir make(int mount, const LaunchPlan &plan, uid_t owner, const UnixExport &exported);

/// Makes /run/host read-only, when all is in place.
void seal(const HostDir &host);

/// A detached mount, for reading, of the node in its folder `inaccessible` that is of the type of `mode`.
/// Whatever /run/host is to those who look it up by now.
[[nodiscard]] unique_fd inaccessible(const HostDir &host, mode_t mode);

} // namespace berth::host_dir
