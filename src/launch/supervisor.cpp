// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/supervisor.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/memory.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "base/systemd_handles.hpp"
#include "console/terminal.hpp"

namespace berth::supervisor {

namespace {

/// Those that ask us to end, but for what our caller has had ignored, as nohup(1) and shells have for what
/// they run in the background.
std::vector<int> ending_signals() {
    std::vector<int> signals{SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    std::erase_if(signals, [](int signal) {
        struct sigaction inherited{};
        return ::sigaction(signal, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
    });
    return signals;
}

void check(int result, const char *doing) {
    if (result < 0)
        fail_code(-result, "{}", doing);
}

class Watcher {
public:
    Watcher(const LaunchPlan &plan, Machine &machine, bool announce)
        : plan_(plan), machine_(machine), announce_(announce) {
        sd_event *event = nullptr;
        check(::sd_event_new(&event), "creating an event loop");
        event_.reset(event);
        add_leader();
        add_signals();
        add_notify();
        add_console();
        add_diet();
    }

    End watch() {
        if (announce_ && !waits_for_init())
            say_ready();
        check(::sd_event_loop(event_.get()), "running the event loop");
        return reap();
    }

private:
    // sd-event hands exceptions to nobody: every callback answers with an errno instead.
    template <class Body> static int guarded(Body &&body) noexcept {
        try {
            body();
            return 0;
        } catch (const Error &error) {
            return error.code() != 0 ? -error.code() : -EIO;
        } catch (const std::exception &) {
            return -EIO;
        }
    }

    static Watcher &self(void *data) { return *static_cast<Watcher *>(data); }

    EventSourcePtr &add(sd_event_source *source) {
        check(::sd_event_source_set_exit_on_failure(source, 1), "setting up the event loop");
        return sources_.emplace_back(source);
    }

    void add_leader() {
        sd_event_source *source = nullptr;
        check(::sd_event_add_io(
                  event_.get(), &source, machine_.pidfd.get(), EPOLLIN,
                  [](sd_event_source *, int, std::uint32_t, void *data) {
                      return guarded([&] { self(data).on_leader_exit(); });
                  },
                  this),
              "watching the leader");
        // What the notify socket holds is read before the end is seen.
        check(::sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE), "watching the leader");
        check(::sd_event_source_set_exit_on_failure(source, 1), "setting up the event loop");
        leader_source_.reset(source);
    }

    void add_signals() {
        for (const int signal : ending_signals()) {
            sd_event_source *source = nullptr;
            check(::sd_event_add_signal(
                      event_.get(), &source, signal,
                      [](sd_event_source *, const signalfd_siginfo *info, void *data) {
                          return guarded([&] { self(data).on_signal(static_cast<int>(info->ssi_signo)); });
                      },
                      this),
                  "watching for signals");
            add(source);
        }
    }

    void add_notify() {
        sd_event_source *source = nullptr;
        check(::sd_event_add_io(
                  event_.get(), &source, machine_.notify.get(), EPOLLIN,
                  [](sd_event_source *, int, std::uint32_t, void *data) {
                      return guarded([&] { self(data).on_notify(); });
                  },
                  this),
              "watching the notify socket");
        add(source);
    }

    /// A machine that stays gets a supervisor that is small; one that is over soon is not kept waiting.
    void add_diet() {
        sd_event_source *source = nullptr;
        check(::sd_event_add_time_relative(
                  event_.get(), &source, CLOCK_MONOTONIC, 1000000, 500000,
                  [](sd_event_source *, std::uint64_t, void *) {
                      release_code_pages();
                      return 0;
                  },
                  this),
              "setting a timer");
        add(source);
    }

    void add_console() {
        if (machine_.relay)
            machine_.relay->begin(event_.get(), machine_.leader);
        if (!machine_.console || plan_.console == ConsoleMode::passive)
            return;
        forward_.emplace(event_.get(), machine_.console.get(),
                         terminal::ForwardOptions{.read_only = plan_.console == ConsoleMode::read_only,
                                                  .end_on_hang_up = false,
                                                  .background = plan_.background},
                         [this](terminal::End end) { on_console_end(end); });
    }

    void on_console_end(terminal::End end) {
        console_over_ = true;
        switch (end) {
        case terminal::End::escape:
            asked_ = SIGKILL;
            pidfd::send_signal(machine_.pidfd.get(), SIGKILL);
            break;
        case terminal::End::input_failed: on_signal(SIGHUP); break;
        case terminal::End::output_failed:
            if (forward_->error() != EPIPE) {
                std::fprintf(stderr, "berth run: writing to stdout: %s\n",
                             errno_text(forward_->error()).c_str());
                output_failed_ = true;
            }
            if (!leader_gone_)
                on_signal(SIGPIPE);
            break;
        case terminal::End::hang_up:
        case terminal::End::drained: break;
        }
        if (leader_gone_)
            ::sd_event_exit(event_.get(), 0);
    }

    /// What the console still holds is written before we go.
    void on_leader_exit() {
        leader_gone_ = true;
        leader_source_.reset();
        if (forward_ && !console_over_)
            forward_->drain();
        else if (machine_.relay)
            machine_.relay->drain([this] { ::sd_event_exit(event_.get(), 0); });
        else
            ::sd_event_exit(event_.get(), 0);
    }

    /// The first request is passed on as the machine's own shut-down signal, where it has one;
    /// the second ends it at once.
    void on_signal(int signal) {
        if (leader_gone_) { // only our own output is waited for
            ::sd_event_exit(event_.get(), 0);
            return;
        }
        const bool first = !asked_;
        asked_ = signal;
        if (first && plan_.kill_signal != 0) {
            pidfd::send_signal(machine_.pidfd.get(), plan_.kill_signal);
            return;
        }
        pidfd::send_signal(machine_.pidfd.get(), SIGKILL);
    }

    /// One datagram of sd_notify(3) from the machine. Only its PID 1 is heard.
    void on_notify() {
        std::array<char, 4096> text{};
        iovec part{.iov_base = text.data(), .iov_len = text.size() - 1};
        alignas(cmsghdr) std::array<unsigned char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * 8)>
            control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t n = ::recvmsg(machine_.notify.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR)
                return;
            fail_errno("reading the notify socket");
        }
        pid_t sender = -1;
        for (cmsghdr *c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level != SOL_SOCKET)
                continue;
            if (c->cmsg_type == SCM_CREDENTIALS) {
                ucred credentials{};
                std::memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
                sender = credentials.pid;
            } else if (c->cmsg_type == SCM_RIGHTS) {
                close_all(*c); // descriptors for an fd store that we do not keep
            }
        }
        if (sender == machine_.leader)
            pass_on(std::string_view(text.data(), static_cast<std::size_t>(n)));
    }

    static void close_all(const cmsghdr &c) {
        for (std::size_t at = 0; at + sizeof(int) <= c.cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(&c) + at, sizeof fd);
            unique_fd(fd).reset();
        }
    }

    void pass_on(std::string_view text) {
        for (const std::string &line : split(text, '\n')) {
            if (line == "READY=1" && waits_for_init() && announce_)
                say_ready();
            else if (line.starts_with("STATUS=") && announce_)
                ::sd_notifyf(0, "STATUS=Machine running: %.200s", line.c_str() + 7);
        }
    }

    [[nodiscard]] bool waits_for_init() const {
        return plan_.notify_ready == NotifyReady::yes
               || (plan_.notify_ready == NotifyReady::automatic && machine_.init_notifies);
    }

    void say_ready() const {
        ::sd_notifyf(0, "READY=1\nSTATUS=Machine running.\nX_BERTH_LEADER_PID=%d", machine_.leader);
    }

    End reap() {
        const siginfo_t info = pidfd::wait(machine_.pidfd.get());
        using How = End::How;
        if (info.si_code == CLD_EXITED)
            return {.how = How::exited, .status = info.si_status};
        if (info.si_status == SIGHUP)
            return {.how = How::rebooted, .status = 0};
        if (info.si_status == SIGINT)
            return {.how = How::halted, .status = 0};
        if (output_failed_)
            return {.how = How::output_failed, .status = 1};
        if (asked_)
            return {.how = How::asked, .status = *asked_};
        return {.how = How::killed, .status = info.si_status};
    }

    const LaunchPlan &plan_;
    Machine &machine_;
    bool announce_;
    std::optional<int> asked_;
    bool leader_gone_ = false;
    bool console_over_ = false;
    bool output_failed_ = false;
    EventPtr event_;
    std::vector<EventSourcePtr> sources_;
    EventSourcePtr leader_source_;
    std::optional<terminal::Forward> forward_;
};

} // namespace

void block_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : ending_signals())
        ::sigaddset(&set, signal);
    ::sigaddset(&set, SIGWINCH);
    ::signal(SIGPIPE, SIG_IGN); // a closed stdout is an error to handle, not an end
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) < 0)
        fail_errno("blocking signals");
}

std::optional<int> pause(std::chrono::milliseconds time) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : ending_signals())
        ::sigaddset(&set, signal);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const timespec length{.tv_sec = seconds.count(),
                          .tv_nsec = std::chrono::nanoseconds(time - seconds).count()};
    const int signal = ::sigtimedwait(&set, nullptr, &length);
    return signal > 0 ? std::optional(signal) : std::nullopt;
}

End watch(const LaunchPlan &plan, Machine &machine, bool announce) {
    return Watcher(plan, machine, announce).watch();
}

} // namespace berth::supervisor
