// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's root: a tree as it is, or an overlay (Documentation/filesystems/overlayfs.rst).
#pragma once

#include <string>
#include <vector>

#include "base/lock_file.hpp"
#include "base/unique_fd.hpp"
#include "kernel/id_maps.hpp"
#include "plan/plan.hpp"

namespace berth::root {

/// Opens the layers (O_PATH), in the order of the plan. From here on they are these, whatever comes to be at
/// their paths.
[[nodiscard]] std::vector<unique_fd> open_layers(const RootPlan &plan);

/// Locks the layers: shared what is only read; exclusive a tree that the machine writes to, or that we
/// do (`written`). Throws Error naming the tree that another machine or program holds.
[[nodiscard]] std::vector<LockFile> lock_layers(const RootPlan &plan, const std::vector<unique_fd> &layers,
                                                bool written);

/// Where a root hangs while the machine's tree is put together, in a mount namespace of our own. Nothing
/// else of ours is there: it is covered until the machine has taken its tree over.
inline constexpr const char *staging = "/run/berth/root";

/// Where the filesystems of a disk image are mounted, in our own mount namespace.
inline constexpr const char *image_place = "/run/berth/image";

/// Makes the staging directory, should nobody have done so at boot.
void prepare_staging();

/// Makes the folders of the upper: on disk for a persistent one, which is locked then (flock(2)); for an
/// ephemeral one in a tmpfs mounted in our own mount namespace, which the caller must have made private. With
/// `mapped` users, IDs in the upper are those inside the machine. `lower` is the topmost layer, or negative:
/// the upper looks like it. Returns the folder that both are in; empty without an upper.
[[nodiscard]] unique_fd prepare_upper(const RootPlan &plan, int lower, bool mapped);

/// The directories of a root, as they were opened first: whoever assembles it looks whether they are still
/// at their paths.
struct Opened {
    const std::vector<unique_fd> &layers;
    const unique_fd &upper;
};

/// A filesystem of a disk image, mounted on `place` in our own mount namespace, its users mapped.
struct Partition {
    std::string path; ///< inside
    std::string place;
};

/// Mounts the tree itself on `target`: what "+" paths are in, and / inside most often. `image`
/// holds the filesystems of the disk image, its root first, or nothing.
[[nodiscard]] unique_fd attach(const RootPlan &plan, const Opened &opened, IdMaps &ids,
                               const std::vector<Partition> &image, int target);

/// An overlay of the mapped filesystem at `place`, the `number`th of an image, and an ephemeral upper of its
/// own.
[[nodiscard]] unique_fd ephemeral_overlay(const RootPlan &plan, const std::string &place, std::size_t number,
                                          IdMaps &ids);

/// A detached mount that becomes / in place of the tree behind `base`, which must be attached:
/// for --volatile=yes and --pivot-root=. Empty when the tree itself does.
[[nodiscard]] unique_fd derive(const RootPlan &plan, int base, const IdMaps &ids);

} // namespace berth::root
