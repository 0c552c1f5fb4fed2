// SPDX-License-Identifier: LGPL-2.1-or-later
// Giving a tree's files to the machine's users on disk, where they cannot be mapped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace berth::ownership {

/// True when the filesystem that `tree` is open in can map users on mounts.
[[nodiscard]] bool can_map(int tree);

/// Moves owners, groups and ACL entries of the tree behind `tree` (O_PATH), which `path` names, to the range
/// from `base` on: their lower 16 bits stay. The root comes last, so that its owner tells that all is done;
/// one that was cut short is taken up again by calling it anew. Mounts below are left alone. `progress` is
/// told the number of files now and then. Throws Error on IDs that belong to no range of 65536.
void move_to(int tree, const std::string &path, std::uint32_t base,
             const std::function<void(std::uint64_t)> &progress);

} // namespace berth::ownership
