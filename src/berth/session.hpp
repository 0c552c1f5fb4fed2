// SPDX-License-Identifier: LGPL-2.1-or-later
// A command inside a machine from its start to its end, with signals and terminal.
#pragma once

#include <cstdint>
#include <functional>

#include "join/join.hpp"

namespace berth::cli {

/// Where programs are looked for, unless somebody says otherwise.
inline constexpr const char *default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command has for stdio. Our own terminal no machine's command ever gets.
enum class Terminal : std::uint8_t {
    none, ///< ours; a pty in place of those that are a terminal
    ours, ///< a terminal of the machine's own for stdin and stdout, and for stderr if that is one
    all,  ///< a terminal of the machine's own for all three
};

/// How a command comes into being.
struct Start {
    std::function<terminal::Pty()> open_pty;
    std::function<join::Process(const entering::Stdio &)> start;
    bool is_ours = false; ///< no machine's: our own terminal is handed to it
};

/// A command in a machine that is joined.
[[nodiscard]] Start joining(const join::Target &target, const join::Command &command);

/// What people expect: a terminal of its own where stdin and stdout are one.
[[nodiscard]] Terminal usual_terminal();

/// Runs a command and returns its exit code as shells have it; 126 or 127, with a message, when
/// it could not be started. What it has in place of our stdio is connected to that. SIGINT, SIGTERM,
/// SIGHUP and SIGQUIT for us are passed on to it.
[[nodiscard]] int run_session(const Start &start, Terminal mode);

} // namespace berth::cli
