// SPDX-License-Identifier: LGPL-2.1-or-later
// A command inside a machine from its start to its end, with signals and terminal.
#pragma once

#include "runtime/join.hpp"

namespace berth::cli {

/// Runs `command` and returns its exit code as shells have it; 126 or 127, with a message, when
/// it could not be started. With `pty` it gets a terminal of the machine's own, which is
/// connected to our stdin and stdout; else it gets these and stderr themselves. SIGINT, SIGTERM,
/// SIGHUP and SIGQUIT for us are passed on to it.
[[nodiscard]] int run_session(const join::Target &target, const join::Command &command, bool pty);

} // namespace berth::cli
