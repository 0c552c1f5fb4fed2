// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/pager.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "cli/style.hpp"

namespace berth::cli {

namespace {

/// The pager that the environment names; empty for "none".
std::optional<std::string> chosen() {
    for (const char *variable : {"BERTH_PAGER", "SYSTEMD_PAGER", "PAGER"})
        if (const char *value = std::getenv(variable); value != nullptr) { // NOLINT(concurrency-mt-unsafe)
            const std::string name(trim(value));
            return name == "cat" ? "" : name;
        }
    return std::nullopt;
}

/// stdin to stdout, where there is no pager at all.
[[noreturn]] void copy() {
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (n <= 0 || ::write(STDOUT_FILENO, buffer.data(), static_cast<std::size_t>(n)) != n)
            ::_exit(n < 0);
    }
}

[[noreturn]] void become_pager(const std::optional<std::string> &name) {
    // Leave at once when all fits; show colours; do not clear; no shell from inside, we may be root.
    ::setenv("LESS", "FRSXMK", 1);       // NOLINT(concurrency-mt-unsafe): a process of its own
    ::setenv("LESSSECURE", "1", 1);      // NOLINT(concurrency-mt-unsafe)
    ::setenv("LESSCHARSET", "utf-8", 1); // NOLINT(concurrency-mt-unsafe)
    if (name) {
        ::execlp("/bin/sh", "sh", "-c", name->c_str(), nullptr); // may have arguments, as systemd's may
        copy();
    }
    for (const char *usual : {"pager", "less", "more"})
        ::execlp(usual, usual, nullptr);
    copy();
}

} // namespace

Pager::Pager(bool wanted) {
    const auto name = chosen();
    if (!wanted || ::isatty(STDOUT_FILENO) != 1 || (name && name->empty()))
        return;
    // Both remember what stdout is now.
    (void)style::on();
    (void)style::columns();
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0)
        fail_errno("creating a pipe to a pager");
    const unique_fd reading(ends[0]);
    const unique_fd writing(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0)
        fail_errno("starting a pager");
    if (pid == 0) {
        ::dup2(reading.get(), STDIN_FILENO);
        become_pager(name);
    }
    process_ = pidfd::open(pid);
    if (::dup2(writing.get(), STDOUT_FILENO) < 0)
        fail_errno("connecting to a pager");
    ::signal(SIGINT, SIG_IGN); // ^C is the pager's
}

Pager::~Pager() {
    if (!process_)
        return;
    std::fflush(stdout);
    ::close(STDOUT_FILENO); // the end of what there is to read
    pidfd::reap(process_.get());
}

} // namespace berth::cli
