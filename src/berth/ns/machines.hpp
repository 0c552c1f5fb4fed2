// SPDX-License-Identifier: LGPL-2.1-or-later
// The machines that berthd knows, by sd-bus alone.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace berth::ns {

struct Machine {
    std::string name;
    unique_fd leader; ///< pidfd
    pid_t pid = 0;    ///< of the leader
};

/// All that are registered, but for the host itself; those that end meanwhile are left out. Throws
/// Error when berthd cannot be reached.
[[nodiscard]] std::vector<Machine> machines();

} // namespace berth::ns
