// SPDX-License-Identifier: LGPL-2.1-or-later
// Pipes for a program whose stdio would be our terminal. Whoever has that open may type on it
// (TIOCSTI of ioctl_tty(2)), change it, and read what is typed when the program has long ended.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "base/unique_fd.hpp"
#include "runtime/terminal.hpp"
#include "systemd/handles.hpp"

namespace berth::terminal {

/// A pipe for each of stdin, stdout and stderr that is a terminal, and what goes on between.
///
/// Of a terminal as stdin only whole lines are read, and only while it is ours to read: another program of
/// our pipeline, such as a pager, may have put it into a mode of its own.
class Relay {
public:
    /// Makes the pipes; which descriptors are left out stay ours to hand on.
    explicit Relay(std::array<bool, 3> wanted = {true, true, true});
    ~Relay();
    Relay(const Relay &) = delete;
    Relay &operator=(const Relay &) = delete;

    /// True when there is anything to forward.
    [[nodiscard]] bool any() const noexcept;

    /// The program's ends; -1 where it has ours.
    [[nodiscard]] std::array<int, 3> ends() const noexcept;

    /// Closes the program's ends, which it has by now, and forwards as sources of the loop.
    void begin(sd_event *event);

    /// Call it when the program has ended: `done` is called, from the loop, when what the pipes held has been
    /// written.
    void drain(std::function<void()> done);

private:
    class Input;
    class Output;

    void check_drained();

    std::array<unique_fd, 3> theirs_;
    std::unique_ptr<Input> input_;
    std::array<std::unique_ptr<Output>, 2> outputs_;
    std::function<void()> done_;
};

} // namespace berth::terminal
