// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/terminal_relay.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace berth::terminal {

namespace {

/// Until we look again whether a terminal is ours to read.
constexpr std::uint64_t pause = 100000; // microseconds

struct Pipe {
    unique_fd reader;
    unique_fd writer;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0)
        fail_errno("creating a pipe");
    return {.reader = unique_fd(ends[0]), .writer = unique_fd(ends[1])};
}

/// Of our end alone: the other one is a file description of its own.
void set_nonblocking(int fd) {
    if (::fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        fail_errno("setting up a pipe");
}

template <class Call> ssize_t uninterrupted(Call call) {
    ssize_t n = 0;
    do
        n = call();
    while (n < 0 && errno == EINTR);
    return n;
}

EventSourcePtr add_io(sd_event *event, int fd, std::uint32_t events, sd_event_io_handler_t handler,
                      void *data) {
    sd_event_source *source = nullptr;
    if (const int r = ::sd_event_add_io(event, &source, fd, events, handler, data); r < 0)
        fail_code(-r, "adding descriptor {} to the event loop", fd);
    return EventSourcePtr(source);
}

void enable(const EventSourcePtr &source, bool on) noexcept {
    if (source)
        ::sd_event_source_set_enabled(source.get(), on ? SD_EVENT_ON : SD_EVENT_OFF);
}

/// True while lines are edited on the terminal, and we are in its foreground.
bool is_ours_to_read() noexcept {
    termios modes{};
    if (::tcgetattr(STDIN_FILENO, &modes) < 0)
        return true; // reading it will tell
    const pid_t foreground = ::tcgetpgrp(STDIN_FILENO);
    return (modes.c_lflag & ICANON) != 0 && (foreground < 0 || foreground == ::getpgrp());
}

} // namespace

/// From our terminal to the program.
class Relay::Input {
public:
    explicit Input(unique_fd to) : from_(STDIN_FILENO, O_RDONLY), to_(std::move(to)) {
        set_nonblocking(to_.get());
    }

    void begin(sd_event *event) {
        readable_ = add_io(event, from_.get(), EPOLLIN, on_readable, this);
        writable_ = add_io(event, to_.get(), EPOLLOUT, on_writable, this);
        enable(writable_, false);
        sd_event_source *timer = nullptr;
        if (const int r =
                ::sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, pause, 0, on_pause, this);
            r < 0)
            fail_code(-r, "adding a timer to the event loop");
        timer_.reset(timer);
        enable(timer_, false);
    }

private:
    static int on_readable(sd_event_source *, int, std::uint32_t, void *self) {
        static_cast<Input *>(self)->read();
        return 0;
    }
    static int on_writable(sd_event_source *, int, std::uint32_t, void *self) {
        static_cast<Input *>(self)->write();
        return 0;
    }
    static int on_pause(sd_event_source *, std::uint64_t, void *self) {
        enable(static_cast<const Input *>(self)->readable_, true);
        return 0;
    }

    void read() {
        if (!is_ours_to_read()) {
            enable(readable_, false);
            ::sd_event_source_set_time_relative(timer_.get(), pause);
            ::sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT);
            return;
        }
        const ssize_t n =
            buffer_.fill([this](char *bytes, std::size_t size) { return from_.read(bytes, size); });
        if (n > 0)
            write();
        else if (n == 0 || errno != EAGAIN)
            end();
    }

    void write() {
        const ssize_t n = buffer_.drain([this](const char *bytes, std::size_t size) {
            return uninterrupted([&] { return ::write(to_.get(), bytes, size); });
        });
        if (n < 0 && errno != EAGAIN) { // nobody reads it any more
            end();
            return;
        }
        enable(writable_, !buffer_.empty());
        enable(readable_, buffer_.empty());
    }

    void end() {
        readable_.reset();
        writable_.reset();
        timer_.reset();
        to_.reset();
    }

    SharedStream from_;
    unique_fd to_;
    Buffer buffer_;
    EventSourcePtr readable_;
    EventSourcePtr writable_;
    EventSourcePtr timer_;
};

/// From the program to our terminal.
class Relay::Output {
public:
    Output(unique_fd from, int to, Relay &relay) : relay_(relay), from_(std::move(from)), to_(to, O_WRONLY) {
        set_nonblocking(from_.get());
    }

    void begin(sd_event *event) {
        readable_ = add_io(event, from_.get(), EPOLLIN, on_readable, this);
        writable_ = add_io(event, to_.get(), EPOLLOUT, on_writable, this);
        enable(writable_, false);
    }

    /// True when nothing is left to write, and nothing to read without waiting.
    bool drained() {
        while (from_ && buffer_.empty() && read()) {
        }
        return buffer_.empty();
    }

private:
    static int on_readable(sd_event_source *, int, std::uint32_t, void *self) {
        static_cast<Output *>(self)->read();
        return 0;
    }
    static int on_writable(sd_event_source *, int, std::uint32_t, void *self) {
        auto &output = *static_cast<Output *>(self);
        output.write();
        output.relay_.check_drained();
        return 0;
    }

    /// True when something was read.
    bool read() {
        const ssize_t n = buffer_.fill([this](char *bytes, std::size_t size) {
            return uninterrupted([&] { return ::read(from_.get(), bytes, size); });
        });
        if (n > 0)
            write();
        else if (n == 0 || errno != EAGAIN)
            end();
        return n > 0;
    }

    void write() {
        const ssize_t n =
            buffer_.drain([this](const char *bytes, std::size_t size) { return to_.write(bytes, size); });
        if (n < 0 && errno != EAGAIN) {
            buffer_.clear();
            end(); // the program learns of it as of any closed pipe
            return;
        }
        enable(writable_, !buffer_.empty());
        enable(readable_, buffer_.empty());
    }

    void end() {
        readable_.reset();
        from_.reset();
        if (buffer_.empty())
            writable_.reset();
    }

    Relay &relay_;
    unique_fd from_;
    SharedStream to_;
    Buffer buffer_;
    EventSourcePtr readable_;
    EventSourcePtr writable_;
};

Relay::Relay(std::array<bool, 3> wanted) {
    const auto is_terminal = [&](int fd) {
        return wanted[static_cast<std::size_t>(fd)] && ::isatty(fd) == 1;
    };
    if (is_terminal(STDIN_FILENO)) {
        Pipe pipe = make_pipe();
        theirs_[STDIN_FILENO] = std::move(pipe.reader);
        input_ = std::make_unique<Input>(std::move(pipe.writer));
    }
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
        if (!is_terminal(fd))
            continue;
        Pipe pipe = make_pipe();
        const auto at = static_cast<std::size_t>(fd);
        theirs_[at] = std::move(pipe.writer);
        outputs_[at - 1] = std::make_unique<Output>(std::move(pipe.reader), fd, *this);
    }
}

Relay::~Relay() = default;

bool Relay::any() const noexcept {
    return input_ || outputs_[0] || outputs_[1];
}

std::array<int, 3> Relay::ends() const noexcept {
    return {theirs_[0].get(), theirs_[1].get(), theirs_[2].get()};
}

void Relay::begin(sd_event *event) {
    for (unique_fd &end : theirs_)
        end.reset();
    if (input_)
        input_->begin(event);
    for (const auto &output : outputs_)
        if (output)
            output->begin(event);
}

void Relay::drain(std::function<void()> done) {
    done_ = std::move(done);
    check_drained();
}

void Relay::check_drained() {
    if (!done_)
        return;
    const bool drained =
        std::ranges::all_of(outputs_, [](const auto &output) { return !output || output->drained(); });
    if (drained)
        std::exchange(done_, nullptr)();
}

} // namespace berth::terminal
