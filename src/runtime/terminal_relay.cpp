// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/terminal_relay.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "runtime/terminal_reader.hpp"

namespace berth::terminal {

namespace {

/// Until we look again whether what is typed is for the program.
constexpr std::uint64_t pause = 20000; // microseconds

/// More than a pty holds.
constexpr std::size_t most_left = 256UL * 1024;

/// What tells how a terminal is used.
constexpr tcflag_t usage = ICANON | ECHO;

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

void copy_size(int from, int to) noexcept {
    winsize size{};
    if (::ioctl(from, TIOCGWINSZ, &size) == 0)
        (void)::ioctl(to, TIOCSWINSZ, &size);
}

/// Whether the terminal is ours now, or that of another job of the shell.
bool is_in_foreground(int terminal) noexcept {
    const pid_t group = ::tcgetpgrp(terminal);
    return group < 0 || group == ::getpgrp();
}

/// As terminals are when a shell starts a program in the foreground.
void make_usual(termios &modes) noexcept {
    modes.c_iflag |= ICRNL;
    modes.c_lflag |= ICANON | ECHO | ECHOE | ECHOK | ISIG | IEXTEN;
}

/// The slave begins as our terminal is. Lines are edited on ours, and written there once more.
void begin_like(int terminal, const Pty &pty) {
    termios modes{};
    if (::tcgetattr(terminal, &modes) < 0)
        fail_errno("reading the modes of our terminal");
    if (!is_in_foreground(terminal))
        make_usual(modes); // they are another's now
    modes.c_lflag |= EXTPROC;
    modes.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    const int on = 1;
    if (::tcsetattr(pty.slave.get(), TCSANOW, &modes) < 0 || ::ioctl(pty.master.get(), TIOCPKT, &on) < 0)
        fail_errno("setting the modes of a terminal");
    copy_size(terminal, pty.master.get());
}

} // namespace

/// The modes of our terminal, as the program wants them.
class Relay::Modes {
public:
    explicit Modes(int master) : master_(master) {}
    Modes(const Modes &) = delete;
    Modes &operator=(const Modes &) = delete;
    ~Modes() {
        if (changed_ && are_as_known())
            set(before_);
    }

    /// True unless another program has changed them meanwhile. Reading in the background stops us, as it does
    /// others.
    [[nodiscard]] bool are_ours() noexcept { return !know() || are_as_known(); }

    /// Takes over what the program has changed.
    void follow() noexcept {
        termios theirs{};
        if (!know() || !are_as_known() || ::tcgetattr(master_, &theirs) < 0) // of the slave, that is
            return;
        termios wanted = before_;
        wanted.c_iflag = theirs.c_iflag;
        wanted.c_lflag = theirs.c_lflag & ~static_cast<tcflag_t>(EXTPROC);
        std::ranges::copy(theirs.c_cc, wanted.c_cc);
        set(wanted);
        changed_ = true;
    }

    [[nodiscard]] char end_of_file() const noexcept {
        termios modes{};
        return ::tcgetattr(STDIN_FILENO, &modes) == 0 ? static_cast<char>(modes.c_cc[VEOF]) : '\4';
    }

private:
    /// False until we have been in the foreground: before, they are another's.
    bool know() noexcept {
        if (!known_ && is_in_foreground(STDIN_FILENO) && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
            ours_ = before_;
            known_ = true;
        }
        return known_;
    }

    [[nodiscard]] bool are_as_known() const noexcept {
        termios now{};
        return ::tcgetattr(STDIN_FILENO, &now) == 0 && (now.c_lflag & usage) == (ours_.c_lflag & usage);
    }

    void set(const termios &modes) noexcept {
        if (uninterrupted([&] { return ::tcsetattr(STDIN_FILENO, TCSANOW, &modes); }) == 0)
            ours_ = modes;
    }

    int master_;
    termios before_{};
    termios ours_{};
    bool known_ = false;
    bool changed_ = false;
};

/// From our terminal to the program.
class Relay::Input {
public:
    Input(sd_event *event, int master, Modes &modes, pid_t pid, const FileId &slave)
        : modes_(modes), pid_(pid), slave_(slave), from_(STDIN_FILENO, O_RDONLY), to_(master) {
        readable_ = add_io(event, from_.get(), EPOLLIN, on_readable, this);
        sd_event_source *timer = nullptr;
        if (const int r =
                ::sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, pause, 0, on_pause, this);
            r < 0)
            fail_code(-r, "adding a timer to the event loop");
        timer_.reset(timer);
        enable(timer_, false);
    }

    void end() noexcept {
        readable_.reset();
        timer_.reset();
    }

private:
    static int on_readable(sd_event_source *, int, std::uint32_t events, void *self) {
        static_cast<Input *>(self)->read(events);
        return 0;
    }
    static int on_pause(sd_event_source *, std::uint64_t, void *self) {
        enable(static_cast<const Input *>(self)->readable_, true);
        return 0;
    }

    void look_again_later() const noexcept {
        enable(readable_, false);
        ::sd_event_source_set_time_relative(timer_.get(), pause);
        ::sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT);
    }

    void read(std::uint32_t events) {
        const bool gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
        if (!gone && (!modes_.are_ours() || !waits_for_input(pid_, slave_))) {
            look_again_later();
            return;
        }
        std::array<char, 4096> bytes{};
        const ssize_t n = from_.read(bytes.data(), bytes.size());
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0 || gone) {
            end(); // our terminal is gone
            return;
        }
        const char end_of_file = modes_.end_of_file();
        const char *const what = n > 0 ? bytes.data() : &end_of_file;
        // It waits for this, so there is room.
        (void)uninterrupted([&] { return ::write(to_, what, n > 0 ? static_cast<std::size_t>(n) : 1); });
        look_again_later();
    }

    Modes &modes_;
    pid_t pid_;
    FileId slave_;
    SharedStream from_;
    int to_;
    EventSourcePtr readable_;
    EventSourcePtr timer_;
};

/// From the program to our terminal.
class Relay::Output {
public:
    Output(sd_event *event, int master, int to, Modes *modes)
        : modes_(modes), from_(master), to_(to, O_WRONLY) {
        readable_ = add_io(event, from_, EPOLLIN, on_readable, this);
        writable_ = add_io(event, to_.get(), EPOLLOUT, on_writable, this);
        enable(writable_, false);
    }

    void drain(std::function<void()> done) {
        done_ = std::move(done);
        go_on();
    }

private:
    static int on_readable(sd_event_source *, int, std::uint32_t, void *self) {
        static_cast<Output *>(self)->read();
        return 0;
    }
    static int on_writable(sd_event_source *, int, std::uint32_t, void *self) {
        auto &output = *static_cast<Output *>(self);
        output.write();
        output.go_on();
        return 0;
    }

    /// Once the program has ended: what is there, and no more than can be of it.
    void go_on() {
        if (!done_)
            return;
        while (buffer_.empty() && !over_ && left_ > 0)
            if (!read())
                over_ = true;
        if (buffer_.empty())
            std::exchange(done_, nullptr)();
    }

    /// True when something was read. The first byte is the kernel's: 0 before the program's own.
    bool read() {
        std::array<char, Buffer::capacity> bytes{};
        const ssize_t n = uninterrupted([&] { return ::read(from_, bytes.data(), bytes.size()); });
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n <= 0) { // nobody has the slave open any more
            over_ = true;
            readable_.reset();
            return false;
        }
        if (bytes.front() != TIOCPKT_DATA) {
            if ((bytes.front() & TIOCPKT_IOCTL) != 0 && modes_ != nullptr)
                modes_->follow();
            return true;
        }
        if (done_)
            left_ -= std::min(left_, static_cast<std::size_t>(n));
        buffer_.append(std::string_view(bytes.data() + 1, static_cast<std::size_t>(n) - 1));
        write();
        return true;
    }

    void write() {
        const ssize_t n =
            buffer_.drain([this](const char *bytes, std::size_t size) { return to_.write(bytes, size); });
        if (n < 0 && errno != EAGAIN) {
            buffer_.clear(); // our terminal is gone: what is written to it goes nowhere
            over_ = over_ || static_cast<bool>(done_);
        }
        enable(writable_, !buffer_.empty());
        enable(readable_, buffer_.empty());
    }

    Modes *modes_;
    int from_;
    SharedStream to_;
    Buffer buffer_;
    bool over_ = false;
    std::size_t left_ = most_left;
    std::function<void()> done_;
    EventSourcePtr readable_;
    EventSourcePtr writable_;
};

std::unique_ptr<Relay> Relay::make(const std::function<Pty()> &open_pty) {
    std::array<bool, 3> terminals{};
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        terminals[static_cast<std::size_t>(fd)] = ::isatty(fd) == 1;
    if (std::ranges::none_of(terminals, [](bool one) { return one; }))
        return {};
    return std::unique_ptr<Relay>(new Relay(open_pty(), terminals)); // NOLINT: the constructor is ours alone
}

Relay::Relay(Pty pty, std::array<bool, 3> terminals) : pty_(std::move(pty)), terminals_(terminals) {
    begin_like(static_cast<int>(std::ranges::find(terminals_, true) - terminals_.begin()), pty_);
}

Relay::~Relay() = default;

std::array<int, 3> Relay::ends() const noexcept {
    std::array<int, 3> ends{-1, -1, -1};
    for (std::size_t i = 0; i < ends.size(); ++i)
        if (terminals_[i])
            ends[i] = pty_.slave.get();
    return ends;
}

void Relay::begin(sd_event *event, pid_t pid) {
    const FileId slave = id_of(pty_.slave.get());
    pty_.slave.reset();
    if (terminals_[STDIN_FILENO]) {
        modes_ = std::make_unique<Modes>(pty_.master.get());
        input_ = std::make_unique<Input>(event, pty_.master.get(), *modes_, pid, slave);
    }
    const int to = terminals_[STDOUT_FILENO]   ? STDOUT_FILENO
                   : terminals_[STDERR_FILENO] ? STDERR_FILENO
                                               : STDIN_FILENO;
    output_ = std::make_unique<Output>(event, pty_.master.get(), to, modes_.get());
    sd_event_source *resized = nullptr;
    const int r = ::sd_event_add_signal(
        event, &resized, SIGWINCH | SD_EVENT_SIGNAL_PROCMASK,
        [](sd_event_source *, const signalfd_siginfo *, void *self) {
            const auto &relay = *static_cast<const Relay *>(self);
            copy_size(static_cast<int>(std::ranges::find(relay.terminals_, true) - relay.terminals_.begin()),
                      relay.pty_.master.get());
            return 0;
        },
        this);
    if (r < 0)
        fail_code(-r, "adding SIGWINCH to the event loop");
    resized_.reset(resized);
}

void Relay::drain(std::function<void()> done) {
    if (input_)
        input_->end();
    output_->drain(std::move(done));
}

} // namespace berth::terminal
