// SPDX-License-Identifier: LGPL-2.1-or-later
// A pty for a program some of whose stdio would be our terminal. Whoever has that open may type on it
// (TIOCSTI of ioctl_tty(2)), change it, and read what is typed when the program has long ended.
#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <memory>

#include "base/systemd_handles.hpp"
#include "base/unique_fd.hpp"
#include "console/terminal.hpp"

namespace berth::terminal {

/// A pty in place of those of stdin, stdout and stderr that are a terminal, where not all of them need be
/// one, and what goes on between it and ours.
///
/// Our terminal stays as it is, and what is typed is edited there by lines: others of our pipeline use it,
/// too. It is read only while the program waits for input. What the program changes of its own terminal's
/// echo and line editing is changed on ours (EXTPROC of termios(3), TIOCPKT of ioctl_tty(2)), unless another
/// program has done so meanwhile, such as a pager: then what is typed is for that.
class Relay {
public:
    /// Nothing when none of them is a terminal.
    [[nodiscard]] static std::unique_ptr<Relay> make(const std::function<Pty()> &open_pty);

    ~Relay();
    Relay(const Relay &) = delete;
    Relay &operator=(const Relay &) = delete;

    /// What the program has in place of ours; -1 for what it has itself.
    [[nodiscard]] std::array<int, 3> ends() const noexcept;
    /// What is to be its controlling terminal.
    [[nodiscard]] int slave() const noexcept { return pty_.slave.get(); }
    [[nodiscard]] int master() const noexcept { return pty_.master.get(); }

    /// Closes the slave, which the program, process `pid`, has by now, and forwards as sources of the loop.
    void begin(sd_event *event, pid_t pid);

    /// Call it when the program has ended: `done` is called, from the loop, when what it wrote has been
    /// written. What it left behind is not waited for.
    void drain(std::function<void()> done);

private:
    class Modes;
    class Input;
    class Output;

    Relay(Pty pty, std::array<bool, 3> terminals);

    void add_signal(sd_event *event, int signal, EventSourcePtr &where, sd_event_signal_handler_t handler);

    Pty pty_;
    std::array<bool, 3> terminals_;
    int terminal_; ///< the first of ours
    std::unique_ptr<Modes> modes_;
    std::unique_ptr<Input> input_;
    std::unique_ptr<Output> output_;
    EventSourcePtr resized_;
    EventSourcePtr continued_;
};

} // namespace berth::terminal
