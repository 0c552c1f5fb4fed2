// SPDX-License-Identifier: LGPL-2.1-or-later
// Programs as a user starts them: by their words, with pipes or on a terminal.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"

namespace berth::test {

using Words = std::vector<std::string>;

/// How long anything may take before a test gives up on it. It only bounds hangs.
constexpr std::chrono::seconds patience{120};

/// A program being run. What it takes longer than `patience` for fails the test, with what it has
/// said until then. Killed and reaped at the end, should it still run.
class Process {
public:
    enum class Stdio : std::uint8_t {
        pipes,
        terminal, ///< a pty of its own, which it leads a session on
    };

    explicit Process(const Words &words, Stdio stdio = Stdio::pipes);
    Process(const Process &) = delete;
    Process &operator=(const Process &) = delete;
    ~Process();

    void write(std::string_view text);
    void close_input();

    /// Reads until what came on stdout, since the last such call, holds `text`. Returns all of
    /// that up to the end of `text`.
    std::string wait_for(std::string_view text);

    /// Waits for the end; the exit status, or 128 + the signal that ended it.
    int wait();

    [[nodiscard]] bool ended() const;
    void send_signal(int signal) const;
    [[nodiscard]] pid_t pid() const { return pid_; }

    /// All that came until now.
    [[nodiscard]] const std::string &out() const { return out_; }
    [[nodiscard]] const std::string &err() const { return err_; }

    /// The terminal's master side.
    [[nodiscard]] int terminal() const { return output_.get(); }
    void resize(unsigned short rows, unsigned short columns) const;

private:
    void start(const Words &words, Stdio stdio);
    void pump(std::string_view doing, const std::function<bool()> &done);
    void feed();
    static bool drain(unique_fd &from, std::string &to);
    [[noreturn]] void give_up(std::string_view doing) const;

    std::string command_;
    pid_t pid_ = -1;
    unique_fd pidfd_;
    unique_fd input_; ///< empty on a terminal, and once closed
    unique_fd output_;
    unique_fd errors_;
    bool on_terminal_ = false;
    bool reaped_ = false;
    bool close_when_fed_ = false;
    std::string unwritten_;
    std::string out_;
    std::string err_;
    std::size_t seen_ = 0; ///< how much of out_ wait_for() has handed out
};

/// What a program that has ended left.
struct Outcome {
    int status = 0;
    std::string out;
    std::string err;
};

/// Begins a command under strace(1), where AddressSanitizer cannot look for leaks.
[[nodiscard]] Words under_strace(const Words &options);

/// Runs a program to its end.
[[nodiscard]] Outcome run(const Words &words, std::string_view input = {});

/// Runs a program that must exit with 0, and returns what it printed without the last newline.
std::string succeed(const Words &words);

/// `berth` with these words, by run() or succeed().
[[nodiscard]] Outcome try_berth(const Words &words, std::string_view input = {});
std::string berth_succeeds(const Words &words);

/// Checks again and again until `true_now` holds, where the kernel offers no event to wait for.
[[nodiscard]] bool eventually(const std::function<bool()> &true_now, std::chrono::seconds limit = patience);

} // namespace berth::test
