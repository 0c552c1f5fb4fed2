// SPDX-License-Identifier: LGPL-2.1-or-later
// System calls made under a filter, each in a process of its own.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ostream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "kernel/capabilities.hpp"
#include "seccomp/load.hpp"

namespace berth::test {

/// How a system call ended: what it returned, or minus its errno, or the signal that it raised.
struct Ending {
    long result = 0;
    int signal = 0;
    bool operator==(const Ending &) const = default;
};

inline void PrintTo(const Ending &ending, std::ostream *out) {
    *out << "result " << ending.result << ", signal " << ending.signal;
}

constexpr Ending failed(int error) {
    return {.result = -error};
}

inline constexpr Ending killed{.signal = SIGSYS};

/// Calls `body` in a process of its own, which puts itself under `programs` first.
template <class Body> Ending under(const seccomp::Programs &programs, Body &&body) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0)
        fail_errno("creating a pipe");
    const unique_fd from(ends[0]);
    unique_fd to(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0)
        fail_errno("forking");
    if (pid == 0) {
        seccomp::install(programs);
        const long result = body();
        const long told = result < 0 ? -errno : result;
        const bool written = ::write(to.get(), &told, sizeof told) == sizeof told;
        ::_exit(written ? 0 : 1);
    }
    to.reset();
    Ending ending;
    const bool told = ::read(from.get(), &ending.result, sizeof ending.result) == sizeof ending.result;
    int status = 0;
    if (::waitpid(pid, &status, 0) < 0)
        fail_errno("waiting for a probe");
    if (WIFSIGNALED(status))
        ending.signal = WTERMSIG(status);
    else if (!told || WEXITSTATUS(status) != 0)
        fail("a probe ended with status {} and told nothing", status);
    return ending;
}

/// The filter of a machine with the default capabilities, and these rules.
inline seccomp::Programs filter(const std::vector<std::string> &rules, bool suppress_sync = false) {
    return seccomp::load({.capabilities = capabilities::default_bounding(false),
                          .rules = rules,
                          .suppress_sync = suppress_sync})
        .programs;
}

} // namespace berth::test
