// SPDX-License-Identifier: LGPL-2.1-or-later
// Puts a machine's whole tree of mounts together and makes it our root.
//
// There are two steps. assemble() needs the rights of the host's root alone, finish() the machine's
// namespaces. Without a user namespace the machine's first process does both. With one the
// launcher does the first in a mount namespace of its own: what the machine then inherits is
// locked (mount_namespaces(7), "Restrictions on mount namespaces"), so that it can neither make
// read-only mounts writable nor uncover what they hide.
#pragma once

#include <vector>

#include "base/unique_fd.hpp"
#include "runtime/host_dir.hpp"
#include "runtime/id_maps.hpp"
#include "runtime/plan.hpp"
#include "runtime/root.hpp"
#include "runtime/scratch.hpp"
#include "runtime/unix_export.hpp"
#include "user/host_user.hpp"

namespace berth::tree {

/// What a tree is made of, beside the plan.
struct Parts {
    IdMaps &ids;
    const std::vector<root::Partition> &image; ///< of the disk image, or empty
    Scratch &scratch;
    const UnixExport &exported;
    const std::vector<user::HostUser> &users; ///< of the host's, to be known inside
};

struct Assembled {
    unique_fd root;    ///< O_PATH
    unique_fd console; ///< master of the console's pty; empty when piped
    unique_fd console_slave;
    unique_fd notify; ///< the socket at /run/host/notify
    /// Sources of the plan's mounts that belong below /proc or /sys, as the plan has them; empty
    /// for all others.
    std::vector<unique_fd> late;
    std::vector<Guest> guests; ///< users of the host that must be themselves in the user namespace
};

/// Mounts all that is not tied to the machine's namespaces on root::staging.
[[nodiscard]] Assembled assemble(const LaunchPlan &plan, const Parts &parts);

/// Takes the tree that the launcher assembled, of which we have a copy, for our own.
void adopt(Assembled &assembled);

/// Lets go of an assembled tree that another process has a copy of.
void release() noexcept;

/// Mounts what shows the machine's namespaces, and pivots into the tree.
void finish(const LaunchPlan &plan, Assembled &assembled);

} // namespace berth::tree
