// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/id_maps.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "kernel/mounts.hpp"

namespace berth {

std::vector<id_map::Range> IdMaps::ranges_with(std::vector<Guest> guests, std::uint32_t Guest::*id) const {
    std::ranges::sort(guests, {}, &Guest::inside);
    std::vector<id_map::Range> ranges;
    std::uint32_t next = 0;
    const auto own_until = [&](std::uint32_t end) {
        if (end > next)
            ranges.push_back({.inside = next, .outside = base_ + next, .count = end - next});
    };
    for (const Guest &guest : guests) {
        if (guest.*id - base_ < count_)
            fail("ID {} of user {} is among those of the machine, from {} on", guest.*id, guest.name, base_);
        if (std::ranges::count(guests, guest.*id, id) > 1)
            fail("user {} shares ID {} with another one", guest.name, guest.*id);
        own_until(guest.inside);
        ranges.push_back({.inside = guest.inside, .outside = guest.*id, .count = 1});
        next = guest.inside + 1;
    }
    own_until(count_);
    return ranges;
}

std::uint32_t IdMaps::host_id(std::uint32_t id) const {
    return !own_users() ? id : id < count_ ? base_ + id : base_;
}

std::string IdMaps::host_id(const std::string &text) const {
    const auto id = parse_unsigned(text);
    return id && *id <= UINT32_MAX ? std::to_string(host_id(static_cast<std::uint32_t>(*id))) : text;
}

user_namespace::Maps IdMaps::of_machine(const std::vector<Guest> &guests) const {
    return {.users = ranges_with(guests, &Guest::uid), .groups = ranges_with(guests, &Guest::gid)};
}

int IdMaps::namespace_for(std::uint32_t tree_base) {
    unique_fd &made = namespaces_[tree_base];
    if (!made) {
        const id_map::Range range{.inside = tree_base, .outside = base_, .count = count_};
        made = user_namespace::make({.users = {range}, .groups = {range}});
    }
    return made.get();
}

void IdMaps::map_tree(int mount, const struct stat &root, bool recursive) {
    const std::uint32_t tree_base = range_base(root.st_uid);
    if (map_trees_ && tree_base != base_)
        mounts::set_id_map(mount, namespace_for(tree_base), recursive);
}

void IdMaps::map_all(int mount, bool recursive) {
    if (base_ != 0)
        mounts::set_id_map(mount, namespace_for(0), recursive);
}

void IdMaps::map_guest(int mount, const Guest &guest, bool recursive) const {
    const std::uint32_t outside = base_ + guest.inside;
    const unique_fd made =
        user_namespace::make({.users = {{.inside = guest.uid, .outside = outside, .count = 1}},
                              .groups = {{.inside = guest.gid, .outside = outside, .count = 1}}});
    mounts::set_id_map(mount, made.get(), recursive);
}

void IdMaps::map_owner(int mount, const struct stat &source, uid_t uid, gid_t gid, bool recursive) const {
    const unique_fd made =
        user_namespace::make({.users = {{.inside = source.st_uid, .outside = base_ + uid, .count = 1}},
                              .groups = {{.inside = source.st_gid, .outside = base_ + gid, .count = 1}}});
    mounts::set_id_map(mount, made.get(), recursive);
}

} // namespace berth
