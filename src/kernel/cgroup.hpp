// SPDX-License-Identifier: LGPL-2.1-or-later
// The delegated part of the cgroup tree (cgroups(7), systemd's CGROUP_DELEGATION document).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace berth::cgroup {

/// Where the unified hierarchy is mounted. Throws Error on a host without cgroup v2.
[[nodiscard]] std::filesystem::path mount_point();

/// The path of a process in the unified hierarchy, such as "/machine.slice/machine-a.scope".
/// `pid` 0 is the caller. It must be a process that cannot go away meanwhile.
[[nodiscard]] std::string path_of(pid_t pid);

/// The part of `path` up to its last unit (.scope or .service); `path` itself when it has none.
[[nodiscard]] std::string unit_part(std::string_view path);

/// Makes the subgroup `name` of the group at `parent` and opens its directory.
[[nodiscard]] unique_fd make_subgroup(const std::string &parent, std::string_view name);

/// Gives the group behind `directory`, and those of its files that delegation hands over, to the
/// user `owner`.
void give(int directory, uid_t owner);

/// Moves a process into the group behind `directory`.
void move(int directory, pid_t pid);

/// Makes all controllers that the group at `path` has available to its subgroups. Those that the
/// kernel refuses (processes in the group itself, threaded subtrees) stay as they are.
void delegate_controllers(const std::string &path);

/// Removes the group at `path` and all below it, as far as they are empty.
void remove(const std::string &path) noexcept;

} // namespace berth::cgroup
