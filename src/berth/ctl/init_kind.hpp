// SPDX-License-Identifier: LGPL-2.1-or-later
// What inits are told by: each has its own signals, or none.
#pragma once

#include <string_view>

namespace berth::cli {

/// How PID 1 of a machine is asked to end.
struct InitKind {
    std::string_view program; ///< the file name of what is executed
    int poweroff = 0;         ///< a signal; 0: it has none, and the tree's own command is to be run
    int reboot = 0;
};

/// That of the program `executed`. One that is not known is asked as systemd is.
[[nodiscard]] InitKind init_kind(std::string_view executed);

/// That of the process behind the pidfd `leader`; systemd's where it is not ours to see.
[[nodiscard]] InitKind init_kind_of(int leader);

} // namespace berth::cli
