// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's users on mounts: which ID on disk is which ID of the host's.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>

#include "base/unique_fd.hpp"
#include "runtime/user_namespace.hpp"

namespace berth {

class IdMaps {
public:
    /// For a machine whose users are `count` from `base` on. `map_trees` tells whether its tree is
    /// to be mapped.
    IdMaps(std::uint32_t base, std::uint32_t count, bool map_trees)
        : base_(base), count_(count), map_trees_(map_trees) {}
    /// For a machine without a user namespace: nothing is mapped.
    IdMaps() : IdMaps(0, 0, false) {}

    /// The machine's root as the host knows it.
    [[nodiscard]] std::uint32_t base() const { return base_; }
    [[nodiscard]] bool map_trees() const { return map_trees_; }
    [[nodiscard]] user_namespace::Maps of_machine() const;

    /// Maps the detached mount `mount`, which shows the tree `root`, onto the machine's users,
    /// should its files have others.
    void map_tree(int mount, const struct stat &root, bool recursive);

    /// Maps a bind mount as "idmap" has it: IDs on disk are the machine's own.
    void map_all(int mount, bool recursive);

    /// Maps one user and group: those who own `source` are `uid` and `gid` of the machine.
    void map_owner(int mount, const struct stat &source, uid_t uid, gid_t gid, bool recursive) const;

private:
    /// A namespace that maps a range from `tree_base` on to ours.
    int namespace_for(std::uint32_t tree_base);

    std::uint32_t base_;
    std::uint32_t count_;
    bool map_trees_;
    std::map<std::uint32_t, unique_fd> namespaces_;
};

/// The first ID of the range of 65536 that `id` is in.
[[nodiscard]] constexpr std::uint32_t range_base(std::uint32_t id) {
    return id & 0xffff0000U;
}

} // namespace berth
