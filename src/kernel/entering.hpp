// SPDX-License-Identifier: LGPL-2.1-or-later
// What processes do on their way into the namespaces of others, until they execute a command there.
#pragma once

#include <unistd.h>

#include <array>
#include <exception>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"

namespace berth::entering {

/// What a command has in place of our own stdio; negative: ours.
struct Stdio {
    int terminal = -1;                       ///< becomes its controlling terminal
    std::array<int, 3> replaced{-1, -1, -1}; ///< stdin, stdout, stderr
};

/// Why a command could not be started, as an exit code: 127 not found, 126 not executable.
class StartError : public Error {
public:
    StartError(const std::string &what, int code) : Error(what, code) {}
    [[nodiscard]] int exit_code() const noexcept { return code() == ENOENT ? 127 : 126; }
};

/// Has us killed when our parent, at the other end of `socket`, dies.
void die_with_parent(int socket);

/// No signal is blocked or ignored any more.
void reset_signals();

/// Puts what replaces our stdio in its place.
void put_stdio(const Stdio &stdio);

/// Closes all but stdio and `kept`, negative ones aside, which close on exec: what is open to us those inside
/// may reach by /proc/PID/fd.
void close_others(std::vector<int> kept);

/// A child of our parent, not of us. Returns twice, as fork(2) does.
[[nodiscard]] namespaces::Child fork_for_parent();

/// Begins a session, on `terminal` where that is not negative.
void lead_session(int terminal);

/// The host's keys stay with the host.
void leave_keyring() noexcept;

/// Executes the program `file`, looked for in PATH, with the arguments `words`. Throws StartError.
[[noreturn]] void execute(const std::string &file, std::vector<std::string> words);

/// Runs `steps`, and tells the other end of `socket` when they throw.
template <class Steps> [[noreturn]] void run_child(int socket, Steps steps) noexcept {
    int code = 0;
    std::string text;
    try {
        steps();
        ::_exit(0);
    } catch (const Error &error) {
        code = error.code();
        text = error.what();
    } catch (const std::exception &error) {
        text = error.what();
    }
    try {
        protocol::send(socket, protocol::Kind::failed, code, text);
    } catch (const Error &) { // NOLINT(bugprone-empty-catch): nobody is left to tell
    }
    ::_exit(1);
}

} // namespace berth::entering
