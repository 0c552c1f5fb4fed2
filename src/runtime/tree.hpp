// SPDX-License-Identifier: LGPL-2.1-or-later
// Puts a machine's whole tree of mounts together and makes it our root.
#pragma once

#include "base/unique_fd.hpp"
#include "runtime/plan.hpp"

namespace berth::tree {

/// What the launcher keeps of the tree.
struct Built {
    unique_fd root;    ///< O_PATH
    unique_fd console; ///< master of the console's pty; empty when piped
    unique_fd console_slave;
    unique_fd notify; ///< the socket at /run/host/notify
};

/// Mounts everything and pivots into it. Call it in the machine's namespaces.
[[nodiscard]] Built build(const LaunchPlan &plan);

} // namespace berth::tree
