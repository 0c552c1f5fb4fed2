// SPDX-License-Identifier: LGPL-2.1-or-later
// The mount API by descriptors: fsopen(2), fsmount(2), open_tree(2), mount_setattr(2),
// move_mount(2). Mounts are made detached, and attached to descriptors, never to paths inside a
// machine.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"

namespace berth::mounts {

/// An option of a filesystem; an empty value makes it a flag.
struct Option {
    std::string key;
    std::string value;
    /// A file that says the same as the value, where the filesystem takes one; negative: none. Overlayfs
    /// does since Linux 6.13, and then shows its path.
    int file = -1;
};

/// A new, detached instance of filesystem `type`. `attributes` are MOUNT_ATTR_*.
/// Errors carry the kernel's own message where it gives one (fsopen(2), "message retrieval").
[[nodiscard]] unique_fd new_filesystem(const std::string &type, const std::vector<Option> &options,
                                       unsigned attributes);

/// A detached copy of the mount (or, `recursive`, of the tree of mounts) at `at`/`path`.
[[nodiscard]] unique_fd clone_tree(int at, const std::string &path, bool recursive);

/// Sets and clears MOUNT_ATTR_* on the mount behind `fd`, or on the tree below it.
void set_attributes(int fd, unsigned set, unsigned clear, bool recursive);

/// Maps the users of the detached mount `fd` (of the tree of mounts, `recursive`) as the user
/// namespace behind `user_namespace` does (mount_setattr(2), "ID-mapped mounts"): IDs on disk are
/// those inside it. Throws Error with the kernel's errno: EINVAL where the filesystem cannot.
void set_id_map(int fd, int user_namespace, bool recursive);

/// Attaches the detached mount `fd` on top of what the descriptor `target` (O_PATH) shows.
/// `what` names it in errors.
void attach(int fd, int target, std::string_view what);

/// What is mounted below the directory `path` of ours, as paths below it, in the order in which it was mounted.
[[nodiscard]] std::vector<std::string> below(const std::string &path);

/// The number of the mount that `fd` is on (statx(2)): unique until the next boot since Linux 6.8.
[[nodiscard]] std::uint64_t id_of(int fd);

} // namespace berth::mounts
