// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/id_maps.hpp"

#include "base/error.hpp"
#include "runtime/mounts.hpp"

namespace berth {

user_namespace::Maps IdMaps::of_machine() const {
    const user_namespace::Range range{.inside = 0, .outside = base_, .count = count_};
    return {.users = {range}, .groups = {range}};
}

int IdMaps::namespace_for(std::uint32_t tree_base) {
    unique_fd &made = namespaces_[tree_base];
    if (!made) {
        const user_namespace::Range range{.inside = tree_base, .outside = base_, .count = count_};
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

void IdMaps::map_owner(int mount, const struct stat &source, uid_t uid, gid_t gid, bool recursive) const {
    const unique_fd made =
        user_namespace::make({.users = {{.inside = source.st_uid, .outside = base_ + uid, .count = 1}},
                              .groups = {{.inside = source.st_gid, .outside = base_ + gid, .count = 1}}});
    mounts::set_id_map(mount, made.get(), recursive);
}

} // namespace berth
