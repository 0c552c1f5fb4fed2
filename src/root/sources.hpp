// SPDX-License-Identifier: LGPL-2.1-or-later
// What is mounted into the tree: sources as detached mounts.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/id_maps.hpp"
#include "plan/plan.hpp"
#include "root/scratch.hpp"

namespace berth::sources {

/// The detached mount for `mount`; empty for one that is made of what is at its destination.
/// `tree` is the machine's tree (O_PATH, attached), `context` the SELinux label for files of a tmpfs, or
/// empty.
/// Throws Error naming the setting. Empty, too, when an optional source inside is missing.
[[nodiscard]] unique_fd open(const MountPlan &mount, int tree, IdMaps &ids, Scratch &scratch,
                             const std::string &context);

/// The host's directory that an overlay writes to, which needs a WorkFolder; nullptr for a mount
/// without one.
[[nodiscard]] const MountConfig::Source *host_upper(const MountPlan &mount);

} // namespace berth::sources
