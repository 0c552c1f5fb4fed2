// SPDX-License-Identifier: LGPL-2.1-or-later
// The system call filters (seccomp(2)) that a process runs under, for another to run under too.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <vector>

namespace berth::syscall_filters {

/// Programs in the order in which they were installed.
using Filters = std::vector<std::vector<sock_filter>>;

/// The filters of process `pid`, which is stopped for a moment; none when it has none. Throws
/// Error when they cannot be read: somebody debugs it, or we are under filters ourselves.
[[nodiscard]] Filters of(pid_t pid);

/// Installs them for this process and all that come from it.
void install(const Filters &filters);

} // namespace berth::syscall_filters
