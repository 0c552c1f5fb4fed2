// SPDX-License-Identifier: LGPL-2.1-or-later
// Users of the machine, read from its own files; the host's name services have no part in it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace berth::users {

struct User {
    std::string name = "root";
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::string home = "/root";
    std::string shell; ///< empty when the tree names none
};

/// Looks `name` (or a number) up in /etc/passwd and /etc/group of the tree behind `root`, then among
/// the users of the host that the machine was given.
/// Empty means root, who is always known. Throws Error when there is no such user.
[[nodiscard]] User look_up(int root, std::string_view name);

/// Becomes the user: groups, gid, uid. Capabilities follow the kernel's rules for it.
void become(const User &user);

} // namespace berth::users
