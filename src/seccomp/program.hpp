// SPDX-License-Identifier: LGPL-2.1-or-later
// Filters of system calls as the kernel takes them: programs of classic BPF (seccomp(2)).
#pragma once

#include <linux/filter.h>

#include <vector>

namespace berth::seccomp {

using Program = std::vector<sock_filter>;

/// Programs in the order in which they are, or were, installed.
using Programs = std::vector<Program>;

} // namespace berth::seccomp
