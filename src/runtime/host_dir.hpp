// SPDX-License-Identifier: LGPL-2.1-or-later
// /run/host: what the Container Interface of systemd puts there.
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace berth::host_dir {

/// /run/host while it is being filled.
struct HostDir {
    unique_fd mount;  ///< its own small tmpfs
    unique_fd notify; ///< the notify socket, bound, with credentials passed (SO_PASSCRED)
};

/// Makes /run/host in the tree behind `root`, whose /run is mounted already: container-manager,
/// container-uuid, os-release, incoming, inaccessible/ and the notify socket.
[[nodiscard]] HostDir make(int root, const std::string &machine_uuid);

/// Hides the files of /proc that would tell of the host, and gives the machine a boot ID of its
/// own (`boot_id`, with dashes).
void cover_kernel_files(int root, const std::string &boot_id);

/// Makes /run/host read-only, when all is in place.
void seal(const HostDir &host);

} // namespace berth::host_dir
