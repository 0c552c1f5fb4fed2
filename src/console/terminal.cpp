// SPDX-License-Identifier: LGPL-2.1-or-later
#include "console/terminal.hpp"

#include <fcntl.h>
#include <linux/major.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/rooted.hpp"

namespace berth::terminal {

namespace {

constexpr std::uint64_t escape_window = 1000000; // microseconds
constexpr unsigned escape_presses = 3;
constexpr char escape_byte = 0x1d; // ^]

/// How much is read at a time where it may grow on its way.
constexpr std::size_t coloured_piece = 512;
static_assert(Background::longest(coloured_piece) <= Buffer::capacity);

constexpr int terminal_patience = 200; // milliseconds

/// More than a pty holds: what comes later is of those that the payload has left behind.
constexpr std::size_t most_left = 256UL * 1024;

/// A full buffer each way this often, then the loop's other sources get their turn.
constexpr int rounds_per_turn = 16;

unique_fd reopen(int fd, int flags) {
    return unique_fd(::open(descriptor_path(fd).c_str(), flags | O_CLOEXEC | O_NOCTTY));
}

bool is_ptmx(int fd) {
    struct stat st{};
    return ::fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(TTYAUX_MAJOR, 2);
}

bool same_terminal(int a, int b) {
    struct stat first{};
    struct stat second{};
    return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_rdev == second.st_rdev;
}

/// Retries what a signal interrupted.
template <class Call> ssize_t uninterrupted(Call call) {
    ssize_t n = 0;
    do
        n = call();
    while (n < 0 && errno == EINTR);
    return n;
}

} // namespace

Pty open_pty(std::optional<int> root) {
    unique_fd own_root;
    if (!root) {
        own_root.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!own_root)
            fail_errno("opening the root directory");
        root = own_root.get();
    }
    unique_fd handle = rooted::try_open(*root, "/dev/pts/ptmx", O_PATH);
    if (!handle)
        handle = rooted::try_open(*root, "/dev/ptmx", O_PATH);
    if (!handle)
        fail_errno("looking for /dev/pts/ptmx: a pty needs a devpts file system");
    if (!is_ptmx(handle.get()))
        fail("/dev/pts/ptmx is not the device it should be; is there a devpts file system on /dev/pts?");
    Pty pty;
    pty.master = reopen(handle.get(), O_RDWR | O_NONBLOCK);
    if (!pty.master)
        fail_errno("opening /dev/pts/ptmx");
    const int unlocked = 0;
    if (::ioctl(pty.master.get(), TIOCSPTLCK, &unlocked) < 0)
        fail_errno("unlocking a new pty");
    pty.slave.reset(::ioctl(pty.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!pty.slave)
        fail_errno("opening the slave of a new pty");
    return pty;
}

RawMode::RawMode(int fd, Direction direction) : fd_(fd) {
    if (::tcgetattr(fd, &before_) < 0)
        fail_errno("reading the modes of the terminal");
    raw_ = before_;
    if (direction == Direction::both)
        ::cfmakeraw(&raw_);
    else
        raw_.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    enter();
}

bool in_background(int fd) noexcept {
    const pid_t group = ::tcgetpgrp(fd);
    return group >= 0 && group != ::getpgrp();
}

void RawMode::enter() noexcept {
    if (in_background(fd_))
        return; // we are told when it is our turn: SIGCONT
    // A terminal that is gone cannot be set; reading it will tell.
    uninterrupted([this] { return ::tcsetattr(fd_, TCSANOW, &raw_); });
    active_ = true;
}

void RawMode::leave() noexcept {
    if (std::exchange(active_, false) && !in_background(fd_)) // else it is another's by now
        uninterrupted([this] { return ::tcsetattr(fd_, TCSANOW, &before_); });
}

SharedStream::SharedStream(int fd, int access) {
    struct stat st{};
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fstat(fd, &st) < 0)
        return; // closed
    fd_ = fd;
    terminal_ = ::isatty(fd) == 1;
    socket_ = S_ISSOCK(st.st_mode);
    if (socket_ || S_ISREG(st.st_mode))
        return; // a file never blocks for long, and the file position must stay shared
    if ((terminal_ || S_ISFIFO(st.st_mode)) && !is_ptmx(fd))
        own_ = reopen(fd, access | O_NONBLOCK);
    if (own_) {
        fd_ = own_.get();
        return;
    }
    if ((flags & O_NONBLOCK) == 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        flags_before_ = flags;
}

SharedStream::~SharedStream() {
    if (flags_before_)
        ::fcntl(fd_, F_SETFL, *flags_before_);
}

ssize_t SharedStream::read(char *bytes, std::size_t size) const noexcept {
    return uninterrupted(
        [&] { return socket_ ? ::recv(fd_, bytes, size, MSG_DONTWAIT) : ::read(fd_, bytes, size); });
}

ssize_t SharedStream::write(const char *bytes, std::size_t size) const noexcept {
    return uninterrupted([&] {
        return socket_ ? ::send(fd_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) : ::write(fd_, bytes, size);
    });
}

Forward::Forward(sd_event *event, int master, Options options, std::function<void(End)> ended)
    : event_(event), master_(master), options_(std::move(options)), ended_(std::move(ended)),
      input_(options_.read_only ? -1 : STDIN_FILENO, O_RDONLY), output_(STDOUT_FILENO, O_WRONLY),
      background_(output_.is_terminal() ? options_.background : "") {
    reading_input_ = input_.good();
    if (input_.good())
        add_io(input_.get(), EPOLLIN | EPOLLET, input_source_);
    if (output_.good())
        add_io(output_.get(), EPOLLOUT | EPOLLET, output_source_);
    // Not to be polled (a file, /dev/null): always ready.
    input_readable_ = !input_source_;
    output_writable_ = !output_source_;
    add_io(master_, EPOLLIN | EPOLLOUT | EPOLLET, master_source_);
    sd_event_source *again = nullptr;
    if (const int r = sd_event_add_defer(event_, &again, on_again, this); r < 0)
        fail_code(-r, "adding a deferred step to the event loop");
    again_source_.reset(again);

    if (input_.is_terminal())
        input_mode_.emplace(STDIN_FILENO, RawMode::Direction::both);
    if (output_.is_terminal() && !(input_.is_terminal() && same_terminal(STDIN_FILENO, STDOUT_FILENO)))
        output_mode_.emplace(STDOUT_FILENO, RawMode::Direction::output);
    if (input_.is_terminal() || output_.is_terminal()) {
        copy_size();
        add_signal(SIGWINCH, on_resize);
        add_signal(SIGTSTP, on_stop);
        add_signal(SIGCONT, on_continue);
    }
    to_output_.append(background_.begin());
}

Forward::~Forward() {
    if (!over_)
        give_terminal();
}

void Forward::add_io(int fd, std::uint32_t events, EventSourcePtr &source) {
    sd_event_source *added = nullptr;
    const int r = sd_event_add_io(event_, &added, fd, events, on_io, this);
    if (r < 0 && r != -EPERM)
        fail_code(-r, "adding descriptor {} to the event loop", fd);
    source.reset(added);
}

void Forward::add_signal(int signal, sd_event_signal_handler_t handler) {
    sd_event_source *added = nullptr;
    if (const int r = sd_event_add_signal(event_, &added, signal | SD_EVENT_SIGNAL_PROCMASK, handler, this);
        r < 0)
        fail_code(-r, "adding SIG{} to the event loop", ::sigabbrev_np(signal));
    signal_sources_.emplace_back(added);
}

int Forward::on_io(sd_event_source *, int fd, std::uint32_t events, void *self) {
    auto &forward = *static_cast<Forward *>(self);
    const bool readable =
        (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !(forward.draining_ && forward.left_ == 0);
    const bool writable = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    if (fd == forward.master_) {
        forward.master_readable_ |= readable;
        forward.master_writable_ |= writable;
    } else if (fd == forward.input_.get()) {
        forward.input_readable_ |= readable;
    } else {
        forward.output_writable_ |= writable;
    }
    forward.pump();
    return 0;
}

int Forward::on_again(sd_event_source *, void *self) {
    static_cast<Forward *>(self)->pump();
    return 0;
}

int Forward::on_resize(sd_event_source *, const signalfd_siginfo *, void *self) {
    static_cast<const Forward *>(self)->copy_size();
    return 0;
}

int Forward::on_stop(sd_event_source *, const signalfd_siginfo *, void *self) {
    auto &forward = *static_cast<Forward *>(self);
    struct sigaction inherited{};
    if (::sigaction(SIGTSTP, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN)
        return 0; // nobody who does job control started us
    forward.give_terminal();
    ::raise(SIGSTOP);
    forward.take_terminal();
    return 0;
}

int Forward::on_continue(sd_event_source *, const signalfd_siginfo *, void *self) {
    static_cast<Forward *>(self)->take_terminal();
    return 0;
}

void Forward::copy_size() const noexcept {
    winsize size{};
    const int from = output_.is_terminal() ? STDOUT_FILENO : STDIN_FILENO;
    if (::ioctl(from, TIOCGWINSZ, &size) == 0)
        ::ioctl(master_, TIOCSWINSZ, &size);
}

void Forward::take_terminal() noexcept {
    if (input_mode_)
        input_mode_->enter();
    if (output_mode_)
        output_mode_->enter();
    copy_size();
    if (std::exchange(given_, false))
        tell_terminal(background_.begin());
}

void Forward::give_terminal() noexcept {
    if (!std::exchange(given_, true))
        tell_terminal(background_.end(!to_output_.empty()));
    if (input_mode_)
        input_mode_->leave();
    if (output_mode_)
        output_mode_->leave();
}

void Forward::tell_terminal(std::string_view text) const noexcept {
    while (!text.empty()) {
        const ssize_t n = output_.write(text.data(), text.size());
        pollfd ready{.fd = output_.get(), .events = POLLOUT, .revents = 0};
        if (n > 0)
            text.remove_prefix(static_cast<std::size_t>(n));
        else if (n == 0 || errno != EAGAIN || ::poll(&ready, 1, terminal_patience) <= 0)
            return;
    }
}

void Forward::drain() {
    draining_ = true;
    left_ = most_left;
    reading_input_ = false;
    master_readable_ = true;
    sd_event_source_set_enabled(again_source_.get(), SD_EVENT_ONESHOT);
}

void Forward::pump() {
    for (int round = 0; !over_ && pump_once(); ++round)
        if (round == rounds_per_turn) {
            sd_event_source_set_enabled(again_source_.get(), SD_EVENT_ONESHOT);
            return;
        }
    if (over_ || master_readable_ || !to_output_.empty())
        return;
    if (draining_)
        end(End::drained);
    else if (hung_up_ && options_.end_on_hang_up)
        end(End::hang_up);
}

bool Forward::pump_once() {
    bool moved = false;
    if (reading_input_ && input_readable_ && !to_master_.full())
        moved |= read_input();
    if (end_of_file_ && to_master_.empty())
        append_end_of_file(*end_of_file_);
    if (!over_ && !to_master_.empty() && master_writable_)
        moved |= write_master();
    const bool has_room = background_.on() ? to_output_.empty() : !to_output_.full();
    if (!over_ && master_readable_ && has_room)
        moved |= read_master();
    if (!over_ && !to_output_.empty() && output_writable_)
        moved |= write_output();
    return moved;
}

bool Forward::read_input() {
    const std::size_t before = to_master_.content().size();
    const ssize_t n =
        to_master_.fill([this](char *bytes, std::size_t size) { return input_.read(bytes, size); });
    if (n < 0 && errno == EAGAIN) {
        input_readable_ = false;
        return false;
    }
    if (n <= 0) {
        reading_input_ = false;
        error_ = n < 0 ? errno : EIO;
        if (n < 0 || input_.is_terminal())
            end(End::input_failed);
        else
            input_ended();
        return true;
    }
    if (input_.is_terminal() && escaped(to_master_.content().substr(before))) {
        end(End::escape);
        return false;
    }
    return true;
}

void Forward::input_ended() {
    termios modes{};
    char byte = 4; // ^D
    if (::tcgetattr(master_, &modes) == 0 && modes.c_cc[VEOF] != _POSIX_VDISABLE)
        byte = static_cast<char>(modes.c_cc[VEOF]);
    end_of_file_ = byte;
}

void Forward::append_end_of_file(char byte) {
    to_master_.append(byte);
    if (last_byte_ != '\n') // the first one ends the unfinished line only (termios(3), VEOF)
        to_master_.append(byte);
    end_of_file_.reset();
}

bool Forward::write_master() {
    const char last = to_master_.content().back();
    const ssize_t n = to_master_.drain([this](const char *bytes, std::size_t size) {
        return uninterrupted([&] { return ::write(master_, bytes, size); });
    });
    if (n > 0) {
        if (to_master_.empty())
            last_byte_ = last;
        return true;
    }
    if (n < 0 && errno != EAGAIN)
        to_master_.clear(); // no slave to read it
    master_writable_ = false;
    return false;
}

ssize_t Forward::read_to_output() {
    const auto read = [this](char *bytes, std::size_t size) {
        return uninterrupted([&] { return ::read(master_, bytes, size); });
    };
    if (!background_.on())
        return to_output_.fill(read);
    std::array<char, coloured_piece> piece{};
    const ssize_t n = read(piece.data(), piece.size());
    if (n > 0)
        to_output_.append(background_.filter({piece.data(), static_cast<std::size_t>(n)}));
    return n;
}

bool Forward::read_master() {
    const ssize_t n = read_to_output();
    hung_up_ = n == 0 || (n < 0 && errno != EAGAIN);
    if (draining_)
        left_ -= std::min(left_, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n <= 0 || (draining_ && left_ == 0))
        master_readable_ = false;
    else if (!output_.good())
        to_output_.clear();
    return n > 0;
}

bool Forward::write_output() {
    const ssize_t n =
        to_output_.drain([this](const char *bytes, std::size_t size) { return output_.write(bytes, size); });
    if (n < 0 && errno != EAGAIN) {
        error_ = errno;
        end(End::output_failed);
        return false;
    }
    output_writable_ = n > 0;
    return n > 0;
}

bool Forward::escaped(std::string_view typed) noexcept {
    std::uint64_t now = 0;
    sd_event_now(event_, CLOCK_MONOTONIC, &now);
    for (const char byte : typed) {
        if (!options_.reads_escape || byte != escape_byte) {
            escape_count_ = 0;
            continue;
        }
        if (escape_count_ == 0 || now - escape_since_ > escape_window) {
            escape_since_ = now;
            escape_count_ = 0;
        }
        if (++escape_count_ == escape_presses)
            return true;
    }
    return false;
}

void Forward::end(End reason) {
    over_ = true;
    give_terminal();
    for (sd_event_source *source :
         {input_source_.get(), output_source_.get(), master_source_.get(), again_source_.get()})
        if (source != nullptr)
            sd_event_source_set_enabled(source, SD_EVENT_OFF);
    signal_sources_.clear();
    ended_(reason);
}

} // namespace berth::terminal
