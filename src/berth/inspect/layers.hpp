// SPDX-License-Identifier: LGPL-2.1-or-later
// What a running machine's root is made of, as the kernel has it mounted.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace berth::cli {

struct RootMount {
    std::string type; ///< "overlay", "ext4"…
    bool read_only = false;
    std::string upper;               ///< of an overlay; empty when nothing can be written
    std::vector<std::string> lowers; ///< of an overlay, uppermost first
};

/// The mount at the root of process `pid`, from its mountinfo (proc_pid_mountinfo(5)).
[[nodiscard]] RootMount root_mount_of(pid_t pid);

} // namespace berth::cli
