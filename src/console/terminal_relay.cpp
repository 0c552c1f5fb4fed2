// SPDX-License-Identifier: LGPL-2.1-or-later
#include "console/terminal_relay.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "console/terminal_reader.hpp"

namespace berth::terminal {

namespace {

/// Until we look again whether what is typed is for the program.
constexpr std::uint64_t pause = 20000; // microseconds

/// More than a pty holds.
constexpr std::size_t most_left = 256UL * 1024;

/// What a packet without data counts for, once the program has ended: there may be no end to them.
constexpr std::size_t least_counted = 1024;

/// How often we read before others of the loop have their turn.
constexpr int most_rounds = 16;

/// As a shell leaves a terminal to the program that it starts.
constexpr tcflag_t usual = ICANON | ECHO | ISIG;

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

/// Nothing to read was meant for the program, as shells mean for what they start in the background.
bool has_no_input() noexcept {
    struct stat st{};
    return ::fstat(STDIN_FILENO, &st) < 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
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
    Modes(int terminal, int master) : terminal_(terminal), master_(master) {
        if (is_in_foreground(terminal_))
            know();
    }
    Modes(const Modes &) = delete;
    Modes &operator=(const Modes &) = delete;
    ~Modes() {
        if (changed_ && are_as_known())
            set(before_);
    }

    /// True unless another program has changed them meanwhile. Reading in the background stops us, as it does
    /// others.
    [[nodiscard]] bool are_ours() noexcept {
        if (!is_in_foreground(terminal_))
            return true;
        if (!known_)
            go_on();
        return known_ && are_as_known();
    }

    /// When we are in the foreground once more: the shell has set them as it likes.
    void go_on() noexcept {
        termios now{};
        if (!is_in_foreground(terminal_) || ::tcgetattr(terminal_, &now) < 0
            || (now.c_lflag & usual) != usual)
            return;
        know();
        follow();
    }

    /// Takes over what the program has changed: whether lines are echoed, or nothing is edited at all. Who
    /// saves our modes now, such as a pager, gets nothing else of the program's.
    void follow() noexcept {
        termios theirs{};
        if (!known_ || !is_in_foreground(terminal_) || !are_as_known()
            || ::tcgetattr(master_, &theirs) < 0) // of the slave, that is
            return;
        if ((theirs.c_lflag & EXTPROC) == 0) { // it knows nothing of that
            termios again = theirs;
            again.c_lflag |= EXTPROC;
            again.c_oflag &= ~static_cast<tcflag_t>(OPOST);
            (void)::tcsetattr(master_, TCSANOW, &again);
        }
        constexpr tcflag_t echo = ECHO | ECHONL;
        termios wanted = before_;
        if ((theirs.c_lflag & ICANON) != 0) {
            wanted.c_lflag = (wanted.c_lflag & ~echo) | (theirs.c_lflag & echo);
        } else {
            wanted.c_iflag = theirs.c_iflag;
            wanted.c_lflag = theirs.c_lflag & ~static_cast<tcflag_t>(EXTPROC);
            wanted.c_cc[VMIN] = theirs.c_cc[VMIN];
            wanted.c_cc[VTIME] = theirs.c_cc[VTIME];
        }
        set(wanted);
        changed_ = true;
    }

    /// What the program takes for the end of input.
    [[nodiscard]] char end_of_file() const noexcept {
        termios modes{};
        return ::tcgetattr(master_, &modes) == 0 ? static_cast<char>(modes.c_cc[VEOF]) : '\4';
    }

private:
    void know() noexcept {
        known_ = ::tcgetattr(terminal_, &before_) == 0;
        ours_ = before_;
    }

    [[nodiscard]] bool are_as_known() const noexcept {
        constexpr tcflag_t passing = PENDIN | FLUSHO; // the kernel's own
        termios now{};
        return ::tcgetattr(terminal_, &now) == 0 && now.c_iflag == ours_.c_iflag
               && now.c_oflag == ours_.c_oflag && (now.c_lflag & ~passing) == (ours_.c_lflag & ~passing)
               && std::ranges::equal(now.c_cc, ours_.c_cc);
    }

    void set(const termios &modes) noexcept {
        if (in_background(terminal_))
            return;
        if (uninterrupted([&] { return ::tcsetattr(terminal_, TCSANOW, &modes); }) == 0)
            (void)::tcgetattr(terminal_, &ours_); // as far as it can do them
    }

    int terminal_;
    int master_;
    termios before_{};
    termios ours_{};
    bool known_ = false;
    bool changed_ = false;
};

/// From our terminal to the program.
class Relay::Input {
public:
    Input(sd_event *event, int terminal, int master, Modes &modes, pid_t pid, const FileId &slave)
        : modes_(modes), from_(terminal, O_RDONLY), to_(master),
          question_(event, pid, slave, [this](bool waits) { waits ? read() : look_again_later(); }) {
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
        over_ = true;
        readable_.reset();
        timer_.reset();
    }

private:
    static int on_readable(sd_event_source *, int, std::uint32_t events, void *self) {
        auto &input = *static_cast<Input *>(self);
        input.gone_ = input.gone_ || (events & (EPOLLHUP | EPOLLERR)) != 0;
        input.look();
        return 0;
    }
    static int on_pause(sd_event_source *, std::uint64_t, void *self) {
        auto &input = *static_cast<Input *>(self);
        if (input.gone_)
            input.look();
        else
            enable(input.readable_, true);
        return 0;
    }

    void look() {
        enable(readable_, false);
        if (gone_ || modes_.are_ours())
            question_.ask();
        else
            look_again_later();
    }

    void look_again_later() const noexcept {
        if (over_)
            return;
        ::sd_event_source_set_time_relative(timer_.get(), pause);
        ::sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT);
    }

    /// The program waits for it, so there is room. A terminal that is gone is at its end for good.
    void read() {
        if (over_)
            return;
        std::array<char, 4096> bytes{};
        ssize_t n = 0;
        if (!gone_) {
            if (!modes_.are_ours()) {
                look_again_later();
                return;
            }
            n = from_.read(bytes.data(), bytes.size());
            gone_ = n < 0 && errno != EAGAIN;
        }
        const char end_of_file = modes_.end_of_file();
        if (n > 0)
            (void)uninterrupted([&] { return ::write(to_, bytes.data(), static_cast<std::size_t>(n)); });
        else if (n == 0 || gone_)
            (void)uninterrupted([&] { return ::write(to_, &end_of_file, 1); });
        look_again_later();
    }

    Modes &modes_;
    SharedStream from_;
    int to_;
    bool gone_ = false;
    bool over_ = false;
    ReaderQuestion question_;
    EventSourcePtr readable_;
    EventSourcePtr timer_;
};

/// From the program to our terminal.
class Relay::Output {
public:
    Output(sd_event *event, int master, int to, Modes &modes)
        : modes_(modes), from_(master), to_(to, O_WRONLY) {
        // By edges: while nobody has the slave open, it is hung up all the time.
        readable_ = add_io(event, from_, EPOLLIN | EPOLLET, on_readable, this);
        writable_ = add_io(event, to_.get(), EPOLLOUT, on_writable, this);
        enable(writable_, false);
    }

    void drain(std::function<void()> done) {
        done_ = std::move(done);
        go_on();
    }

private:
    static int on_readable(sd_event_source *, int, std::uint32_t, void *self) {
        static_cast<Output *>(self)->read_some();
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

    /// The next edge comes when all has been read, or when we ask anew.
    void read_some() {
        for (int round = 0; buffer_.empty(); ++round) {
            if (round == most_rounds) {
                enable(readable_, false);
                enable(readable_, true);
                return;
            }
            if (!read())
                return;
        }
    }

    /// True when something was read. The first byte is the kernel's: 0 before the program's own.
    bool read() {
        std::array<char, Buffer::capacity> bytes{};
        const ssize_t n = uninterrupted([&] { return ::read(from_, bytes.data(), bytes.size()); });
        if (n <= 0) // nothing there, or nobody has the slave open now
            return false;
        if (done_)
            left_ -= std::min(left_, std::max(static_cast<std::size_t>(n), least_counted));
        if (bytes.front() != TIOCPKT_DATA) {
            if ((bytes.front() & TIOCPKT_IOCTL) != 0 && !done_)
                modes_.follow();
            return true;
        }
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

    Modes &modes_;
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

Relay::Relay(Pty pty, std::array<bool, 3> terminals)
    : pty_(std::move(pty)), terminals_(terminals),
      terminal_(static_cast<int>(std::ranges::find(terminals_, true) - terminals_.begin())) {
    begin_like(terminal_, pty_);
    modes_ = std::make_unique<Modes>(terminal_, pty_.master.get());
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
    // It may read its terminal also when that is not its stdin.
    if (!has_no_input())
        input_ = std::make_unique<Input>(event, terminal_, pty_.master.get(), *modes_, pid, slave);
    const int to = terminals_[STDOUT_FILENO]   ? STDOUT_FILENO
                   : terminals_[STDERR_FILENO] ? STDERR_FILENO
                                               : STDIN_FILENO;
    output_ = std::make_unique<Output>(event, pty_.master.get(), to, *modes_);
    add_signal(event, SIGWINCH, resized_, [](sd_event_source *, const signalfd_siginfo *, void *self) {
        const auto &relay = *static_cast<const Relay *>(self);
        copy_size(relay.terminal_, relay.pty_.master.get());
        return 0;
    });
    add_signal(event, SIGCONT, continued_, [](sd_event_source *, const signalfd_siginfo *, void *self) {
        static_cast<const Relay *>(self)->modes_->go_on();
        return 0;
    });
}

void Relay::add_signal(sd_event *event, int signal, EventSourcePtr &where,
                       sd_event_signal_handler_t handler) {
    sd_event_source *source = nullptr;
    if (const int r = ::sd_event_add_signal(event, &source, signal | SD_EVENT_SIGNAL_PROCMASK, handler, this);
        r < 0)
        fail_code(-r, "adding signal {} to the event loop", signal);
    where.reset(source);
}

void Relay::drain(std::function<void()> done) {
    if (input_)
        input_->end();
    output_->drain(std::move(done));
}

} // namespace berth::terminal
