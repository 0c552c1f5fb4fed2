// SPDX-License-Identifier: LGPL-2.1-or-later
// Groups of system calls (systemd.exec(5), SystemCallFilter=); groups.inc lists them.
#pragma once

#include <set>
#include <string_view>
#include <vector>

namespace berth::seccomp {

/// The system calls in the group `name` ("@mount"), those of groups within it too; empty when there
/// is no such group.
[[nodiscard]] std::set<std::string_view> members(std::string_view name);

/// The names of all groups.
[[nodiscard]] std::vector<std::string_view> group_names();

} // namespace berth::seccomp
