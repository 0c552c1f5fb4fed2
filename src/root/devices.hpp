// SPDX-License-Identifier: LGPL-2.1-or-later
// /dev inside the machine.
#pragma once

#include <sys/types.h>

#include "base/unique_fd.hpp"
#include "kernel/id_maps.hpp"
#include "plan/api.hpp"

namespace berth::devices {

/// Makes the plan's nodes and links in /dev, which `dev` is the mount of. Nodes that we may not make are the
/// host's, bound there; those that the host does not have either are left out.
void make(const ApiPlan &plan, int dev, const IdMaps &ids);

/// A pty of the machine's own devpts, for its console.
struct Console {
    unique_fd master;
    unique_fd slave;
    unique_fd node; ///< a detached mount of the slave's node
};

/// Opens a pty of the devpts instance that `pts` is the mount of.
[[nodiscard]] Console make_console(int pts, const IdMaps &ids);

} // namespace berth::devices
