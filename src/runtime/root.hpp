// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's root: a tree as it is, or an overlay (Documentation/filesystems/overlayfs.rst).
#pragma once

#include <vector>

#include "base/unique_fd.hpp"
#include "runtime/plan.hpp"

namespace berth::root {

/// Locks on the trees of a machine (flock(2) on the directories themselves): shared on what is
/// only read, exclusive on what is written. They go with the descriptors, whatever ends us.
using Locks = std::vector<unique_fd>;

/// Takes the locks. Throws Error naming the tree that another machine holds.
[[nodiscard]] Locks lock_trees(const RootPlan &plan);

/// Where a root hangs while the machine's tree is put together. Any directory of the host would
/// do: the mount namespace is the machine's own, and pivoting takes it away again.
inline constexpr const char *staging = "/run/berth";

/// Makes the staging directory, should nobody have done so at boot.
void prepare_staging();

/// Makes the folders of the upper: on disk for a persistent one; for an ephemeral one in a tmpfs
/// mounted in our own mount namespace, which the caller must have made private.
void prepare_upper(const RootPlan &plan);

/// The root as a detached mount.
[[nodiscard]] unique_fd mount(const RootPlan &plan);

} // namespace berth::root
