// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine's users on mounts: which ID on disk is which ID of the host's.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "kernel/user_namespace.hpp"

namespace berth {

/// A user of the host and its private group, and what they are in the machine.
struct Guest {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::uint32_t inside = 0; ///< as user and as group
};

class IdMaps {
public:
    /// For a machine whose users are `count` from `base` on. `map_trees` tells whether its tree is
    /// to be mapped.
    IdMaps(std::uint32_t base, std::uint32_t count, bool map_trees)
        : base_(base), count_(count), map_trees_(map_trees) {}
    /// For a machine without a user namespace: nothing is mapped.
    IdMaps() : IdMaps(0, 0, false) {}

    /// True for a machine with a user namespace, whoever its users are.
    [[nodiscard]] bool own_users() const { return count_ != 0; }
    /// The machine's root as the host knows it.
    [[nodiscard]] std::uint32_t base() const { return base_; }
    [[nodiscard]] bool map_trees() const { return map_trees_; }
    [[nodiscard]] std::uint32_t count() const { return count_; }
    /// What a user or group of the machine is to the host; its root where it has none of that number.
    [[nodiscard]] std::uint32_t host_id(std::uint32_t id) const;
    /// The same of a number in text, as in options of mounts; other text stays as it is.
    [[nodiscard]] std::string host_id(const std::string &text) const;
    /// The machine's own range, in which `guests` have the IDs that they have inside. Throws Error
    /// when one of them is a user of the machine anyway, or another guest.
    [[nodiscard]] user_namespace::Maps of_machine(const std::vector<Guest> &guests = {}) const;

    /// Maps the detached mount `mount`, which shows the tree `root`, onto the machine's users,
    /// should its files have others.
    void map_tree(int mount, const struct stat &root, bool recursive);

    /// Maps a bind mount as "idmap" has it: IDs on disk are the machine's own.
    void map_all(int mount, bool recursive);

    /// Maps one user and group: those who own `source` are `uid` and `gid` of the machine.
    void map_owner(int mount, const struct stat &source, uid_t uid, gid_t gid, bool recursive) const;

    /// Maps the user and group of `guest` onto those it is inside, and nobody else.
    void map_guest(int mount, const Guest &guest, bool recursive) const;

private:
    /// A namespace that maps a range from `tree_base` on to ours.
    int namespace_for(std::uint32_t tree_base);
    /// The map of users or, with `id` their member for it, of groups.
    [[nodiscard]] std::vector<id_map::Range> ranges_with(std::vector<Guest> guests,
                                                         std::uint32_t Guest::*id) const;

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
