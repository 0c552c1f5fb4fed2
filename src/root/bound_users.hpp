// SPDX-License-Identifier: LGPL-2.1-or-later
// Users of the host that a machine knows, too, with their homes (--bind-user= of systemd-nspawn(1)).
#pragma once

#include <vector>

#include "kernel/id_maps.hpp"
#include "plan/plan.hpp"
#include "user/host_user.hpp"

namespace berth::bound_users {

/// The users of the plan as the host has them, by way of berth-user. Throws Error that names the
/// setting when one is not to be had.
[[nodiscard]] std::vector<user::HostUser> look_up(const UsersPlan &plan);

/// Makes `users` known to the machine whose tree is behind `root`, and mounts their homes: below
/// /run/host, which is behind `host`. Each gets an ID that the tree has no other use for. Returns
/// those whose home cannot be mapped: they must be mapped in the machine's user namespace, and are
/// then themselves to the kernel. Throws Error that names the setting.
[[nodiscard]] std::vector<Guest> settle(const UsersPlan &plan, const std::vector<user::HostUser> &users,
                                        int root, int host, const IdMaps &ids);

} // namespace berth::bound_users
