// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/session.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "cli/style.hpp"
#include "console/terminal.hpp"
#include "console/terminal_relay.hpp"

namespace berth::cli {

namespace {

constexpr std::array passed_on{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/// How long a command may take to end after its terminal has gone.
constexpr std::uint64_t grace = 2000000; // microseconds

bool is_ignored(int signal) {
    struct sigaction inherited{};
    return ::sigaction(signal, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
}

class Session {
public:
    Session() {
        sd_event *event = nullptr;
        if (const int r = sd_event_new(&event); r < 0)
            fail_code(-r, "creating an event loop");
        event_.reset(event);
        for (const int signal : passed_on) {
            if (is_ignored(signal)) // as nohup(1) has it, and shells for what they run in the background
                continue;
            sd_event_source *source = nullptr;
            require(sd_event_add_signal(event, &source, signal | SD_EVENT_SIGNAL_PROCMASK, on_signal, this));
            signals_.emplace_back(source);
        }
        // A reader of our output that goes away is an end like others, not one by signal.
        ::signal(SIGPIPE, SIG_IGN);
    }

    int run(const Start &start, Terminal mode) {
        const bool pty = mode != Terminal::none;
        if (pty)
            pty_ = start.open_pty();
        else if (!start.is_ours)
            relay_ = terminal::Relay::make(start.open_pty);
        join::Process process = start.start(stdio(mode));
        pty_.slave.reset();
        process_ = &process;
        if (relay_)
            relay_->begin(event_.get(), pidfd::pid_of(process.pidfd()));
        sd_event_source *ended = nullptr;
        require(sd_event_add_io(event_.get(), &ended, process.pidfd(), EPOLLIN, on_ended, this));
        ended_.reset(ended);
        if (pty)
            forward_.emplace(event_.get(), pty_.master.get(),
                             terminal::ForwardOptions{.end_on_hang_up = false},
                             [this](terminal::End end) { guarded([&] { on_forward_end(end); }); });
        require(sd_event_loop(event_.get()));
        forward_.reset();
        relay_.reset();
        return process.wait();
    }

private:
    /// With a pty, stderr that leads elsewhere than to our terminal stays there, unless a pty for all was
    /// asked for.
    [[nodiscard]] entering::Stdio stdio(Terminal mode) const {
        if (mode == Terminal::none)
            return relay_ ? entering::Stdio{.terminal = relay_->slave(), .replaced = relay_->ends()}
                          : entering::Stdio{};
        const int slave = pty_.slave.get();
        const bool errors = mode == Terminal::all || ::isatty(STDERR_FILENO) == 1;
        return {.terminal = slave, .replaced = {slave, slave, errors ? slave : -1}};
    }

    static void require(int r) {
        if (r < 0)
            fail_code(-r, "running the event loop");
    }

    /// libsystemd knows nothing of exceptions.
    template <class Step> static int guarded(Step step) noexcept {
        try {
            step();
        } catch (const std::exception &error) {
            style::complain(error.what());
        }
        return 0;
    }

    static int on_signal(sd_event_source *, const signalfd_siginfo *info, void *self) {
        return guarded([&] {
            const auto &session = *static_cast<const Session *>(self);
            if (session.process_ != nullptr && pidfd::has_exited(session.process_->pidfd()))
                sd_event_exit(session.event_.get(), 0); // only what it wrote is waited for
            else if (session.process_ != nullptr)
                session.pass_on(static_cast<int>(info->ssi_signo));
        });
    }

    /// To what is in the foreground of the command's terminal, if it has one of ours and somebody is; else to
    /// the command and those of its group.
    void pass_on(int signal) const {
        const int master = relay_ ? relay_->master() : pty_.master.get();
        const bool of_keys = signal == SIGINT || signal == SIGQUIT;
        const pid_t foreground = of_keys && master >= 0 ? ::tcgetpgrp(master) : -1;
        if (foreground > 0 && ::kill(-foreground, 0) == 0 && ::ioctl(master, TIOCSIG, signal) == 0)
            return;
        pidfd::send_signal_to_group(process_->pidfd(), signal);
    }

    static int on_ended(sd_event_source *source, int, std::uint32_t, void *self) {
        auto &session = *static_cast<Session *>(self);
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (session.forward_ && session.forwarding_)
            session.forward_->drain();
        else if (session.relay_)
            session.relay_->drain([&session] { sd_event_exit(session.event_.get(), 0); });
        else
            sd_event_exit(session.event_.get(), 0);
        return 0;
    }

    static int on_grace_over(sd_event_source *, std::uint64_t, void *self) {
        static_cast<const Session *>(self)->process_->kill();
        return 0;
    }

    void on_forward_end(terminal::End end) {
        forwarding_ = false;
        if (end == terminal::End::drained || pidfd::has_exited(process_->pidfd())) {
            sd_event_exit(event_.get(), 0);
            return;
        }
        if (end == terminal::End::output_failed && forward_->error() != EPIPE)
            style::complain("writing to stdout: " + errno_text(forward_->error()));
        // The terminal is taken away; the kernel sends SIGHUP to those who have it.
        pty_.master.reset();
        sd_event_source *timer = nullptr;
        if (sd_event_add_time_relative(event_.get(), &timer, CLOCK_MONOTONIC, grace, 0, on_grace_over, this)
            >= 0)
            grace_.reset(timer);
        else
            process_->kill();
    }

    EventPtr event_;
    terminal::Pty pty_;
    const join::Process *process_ = nullptr;
    bool forwarding_ = true;
    std::vector<EventSourcePtr> signals_;
    EventSourcePtr ended_;
    EventSourcePtr grace_;
    std::optional<terminal::Forward> forward_;
    std::unique_ptr<terminal::Relay> relay_;
};

} // namespace

Start joining(const join::Target &target, const join::Command &command) {
    return {.open_pty = [&target] { return join::open_pty(target); },
            .start = [&](const entering::Stdio &stdio) { return join::start(target, command, stdio); },
            .is_ours = target.namespaces == 0};
}

Terminal usual_terminal() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 ? Terminal::ours : Terminal::none;
}

int run_session(const Start &start, Terminal mode) {
    try {
        return Session().run(start, mode);
    } catch (const entering::StartError &error) {
        style::complain(error.what());
        return error.exit_code();
    }
}

} // namespace berth::cli
