// SPDX-License-Identifier: LGPL-2.1-or-later
// /dev inside the machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"

namespace berth::devices {

/// Whose /dev is: the machine's root, and its group tty.
struct Owner {
    uid_t root = 0;
    gid_t tty = 0;
};

/// The root at `base` of a range of `count` users.
[[nodiscard]] Owner owner_of(uid_t base, std::uint32_t count);

/// Mounts a fresh /dev with the usual nodes, links, shm and an own devpts instance, which is returned.
/// `context`: SELinux label, or empty.
[[nodiscard]] unique_fd mount(int root, const Owner &owner, const std::string &context);

/// A pty of the machine's own devpts, for its console.
struct Console {
    unique_fd master;
    unique_fd slave;
    unique_fd node; ///< a detached mount of the slave's node
};

/// Opens a pty of the devpts instance that `pts` is the mount of.
[[nodiscard]] Console make_console(int pts, const Owner &owner);

} // namespace berth::devices
