// SPDX-License-Identifier: LGPL-2.1-or-later
// What runs in a unit, and what it uses.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::cli {

/// The control group of `unit`, which process `pid` belongs to, as a path in the hierarchy; the
/// group of the process itself when its path does not name the unit.
[[nodiscard]] std::string unit_cgroup(pid_t pid, std::string_view unit);

/// Processes and subgroups as a tree, a line each, every line after `indent`, none wider than
/// `columns`. Empty subgroups are left out.
[[nodiscard]] std::string cgroup_tree(const std::string &group, std::string_view indent, std::size_t columns);

/// Use of resources, as far as there is a controller that counts it.
struct Usage {
    std::optional<std::uint64_t> tasks;
    std::optional<std::uint64_t> tasks_limit;
    std::optional<std::uint64_t> memory; ///< bytes
    std::optional<std::uint64_t> memory_peak;
    std::optional<std::uint64_t> memory_limit;
    std::optional<std::uint64_t> cpu; ///< microseconds
};
[[nodiscard]] Usage cgroup_usage(const std::string &group);

} // namespace berth::cli
