// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/process.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/error.hpp"
#include "base/pidfd.hpp"

namespace berth::test {

namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
    unique_fd reader;
    unique_fd writer;
};

Pipe make_pipe() {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) < 0)
        fail_errno("creating a pipe");
    return {.reader = unique_fd(fds[0]), .writer = unique_fd(fds[1])};
}

void set_nonblocking(int fd) {
    if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        fail_errno("making a descriptor non-blocking");
}

[[noreturn]] void exec(const Words &words) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    std::vector<char *> pointers;
    for (const std::string &word : words)
        pointers.push_back(const_cast<char *>(word.c_str())); // execvp(3) does not write to them
    pointers.push_back(nullptr);
    ::execvp(pointers[0], pointers.data());
    ::_exit(126);
}

std::string joined(const Words &words) {
    std::string text;
    for (const std::string &word : words)
        text += (text.empty() ? "" : " ") + word;
    return text;
}

std::string without_last_newline(std::string text) {
    if (text.ends_with('\n'))
        text.pop_back();
    return text;
}

} // namespace

Process::Process(const Words &words, Stdio stdio) : command_(joined(words)) {
    ::signal(SIGPIPE, SIG_IGN);
    start(words, stdio);
    pidfd_ = pidfd::open(pid_);
    set_nonblocking(output_.get());
}

void Process::start(const Words &words, Stdio stdio) {
    on_terminal_ = stdio == Stdio::terminal;
    if (on_terminal_) {
        int master = -1;
        pid_ = ::forkpty(&master, nullptr, nullptr, nullptr);
        if (pid_ == 0)
            exec(words);
        output_.reset(master);
        if (pid_ < 0 || ::fcntl(master, F_SETFD, FD_CLOEXEC) < 0)
            fail_errno("starting {} on a terminal", command_);
        return;
    }
    Pipe input = make_pipe();
    Pipe output = make_pipe();
    Pipe errors = make_pipe();
    pid_ = ::fork();
    if (pid_ < 0)
        fail_errno("starting {}", command_);
    if (pid_ == 0) {
        if (::dup2(input.reader.get(), STDIN_FILENO) < 0 || ::dup2(output.writer.get(), STDOUT_FILENO) < 0
            || ::dup2(errors.writer.get(), STDERR_FILENO) < 0)
            ::_exit(126);
        exec(words);
    }
    input_ = std::move(input.writer);
    output_ = std::move(output.reader);
    errors_ = std::move(errors.reader);
    set_nonblocking(input_.get());
    set_nonblocking(errors_.get());
}

Process::~Process() {
    if (reaped_)
        return;
    try {
        pidfd::send_signal(pidfd_.get(), SIGKILL);
    } catch (const Error &error) {
        ADD_FAILURE() << error.what();
    }
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) < 0 && errno == EINTR) {
    }
}

void Process::write(std::string_view text) {
    unwritten_ += text;
    feed();
}

void Process::close_input() {
    close_when_fed_ = true;
    feed();
}

void Process::feed() {
    const int fd = on_terminal_ ? output_.get() : input_.get();
    while (fd >= 0 && !unwritten_.empty()) {
        const ssize_t n = ::write(fd, unwritten_.data(), unwritten_.size());
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) // nobody reads it any more: whoever wants to know looks at the outcome
            unwritten_.clear();
        else
            unwritten_.erase(0, static_cast<std::size_t>(n));
    }
    if (close_when_fed_)
        input_.reset();
}

/// Reads what is there; closes `from` at its end.
bool Process::drain(unique_fd &from, std::string &to) {
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
        if (n > 0) {
            to.append(buffer.data(), static_cast<std::size_t>(n));
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        return n < 0 && errno == EAGAIN; // EIO: nobody has the terminal open
    }
}

void Process::give_up(std::string_view doing) const {
    throw Error(berth::format("{} of {}: gave up; stdout:\n{}\nstderr:\n{}", doing, command_, out_, err_));
}

void Process::pump(std::string_view doing, const std::function<bool()> &done) {
    const auto end = Clock::now() + patience;
    bool output_open = static_cast<bool>(output_);
    bool errors_open = static_cast<bool>(errors_);
    for (;;) {
        const bool over = ended(); // if so, all that it wrote can be read by now
        output_open = output_open && drain(output_, out_);
        errors_open = errors_open && drain(errors_, err_);
        if (done())
            return;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        if (over || left.count() <= 0)
            give_up(doing);
        feed();
        const bool has_input = !unwritten_.empty();
        std::array<pollfd, 4> entries{{
            {.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
            {.fd = output_open ? output_.get() : -1, .events = POLLIN, .revents = 0},
            {.fd = errors_open ? errors_.get() : -1, .events = POLLIN, .revents = 0},
            {.fd = has_input ? (on_terminal_ ? output_.get() : input_.get()) : -1,
             .events = POLLOUT,
             .revents = 0},
        }};
        if (::poll(entries.data(), entries.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
            fail_errno("waiting for {}", command_);
    }
}

std::string Process::wait_for(std::string_view text) {
    std::size_t at = std::string::npos;
    pump(berth::format("waiting for \"{}\"", text), [&] {
        at = out_.find(text, seen_);
        return at != std::string::npos;
    });
    const std::string part = out_.substr(seen_, at + text.size() - seen_);
    seen_ += part.size();
    return part;
}

bool Process::ended() const {
    return reaped_ || pidfd::has_exited(pidfd_.get());
}

int Process::wait() {
    if (reaped_)
        fail("{} has been waited for already", command_);
    pump("waiting for the end", [this] { return ended(); });
    if (output_)
        drain(output_, out_);
    if (errors_)
        drain(errors_, err_);
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) < 0)
        fail_errno("waiting for {}", command_);
    reaped_ = true;
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

void Process::send_signal(int signal) const {
    pidfd::send_signal(pidfd_.get(), signal);
}

void Process::resize(unsigned short rows, unsigned short columns) const {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::ioctl(output_.get(), TIOCSWINSZ, &size) < 0)
        fail_errno("resizing the terminal of {}", command_);
}

Words under_strace(const Words &options) {
    Words words{"strace", "-qq", "--output=/dev/null", "--env=ASAN_OPTIONS=detect_leaks=0"};
    words.insert(words.end(), options.begin(), options.end());
    return words;
}

Outcome run(const Words &words, std::string_view input) {
    Process process(words);
    process.write(input);
    process.close_input();
    const int status = process.wait();
    return {.status = status, .out = process.out(), .err = process.err()};
}

std::string succeed(const Words &words) {
    Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << joined(words) << "\n" << outcome.out << outcome.err;
    return without_last_newline(std::move(outcome.out));
}

Outcome try_berth(const Words &words, std::string_view input) {
    Words all{"berth"};
    all.insert(all.end(), words.begin(), words.end());
    return run(all, input);
}

std::string berth_succeeds(const Words &words) {
    Words all{"berth"};
    all.insert(all.end(), words.begin(), words.end());
    return succeed(all);
}

bool eventually(const std::function<bool()> &true_now, std::chrono::seconds limit) {
    const auto end = Clock::now() + limit;
    while (!true_now()) {
        if (Clock::now() > end)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

} // namespace berth::test
