// SPDX-License-Identifier: LGPL-2.1-or-later
// Namespaces (namespaces(7)) and the process that is born into them.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace berth::namespaces {

/// Names as in /proc/PID/ns of the namespaces that CLONE_NEW* `flags` make.
[[nodiscard]] std::vector<std::string> names(std::uint64_t flags);

/// A child of clone3(2).
struct Child {
    pid_t pid = -1; ///< 0 in the child itself
    unique_fd pidfd;
};

/// Forks into new namespaces, and into the cgroup behind `cgroup` when that is not negative
/// (CLONE_INTO_CGROUP). Returns twice, as fork(2) does.
[[nodiscard]] Child fork_into(std::uint64_t flags, int cgroup = -1);

} // namespace berth::namespaces
