// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/syscall_filters.hpp"

#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.hpp"
#include "base/io.hpp"

namespace berth::syscall_filters {

namespace {

constexpr auto patience = std::chrono::seconds(5);
constexpr auto pause = std::chrono::milliseconds(1);

/// Holds a process still.
class Stopped {
public:
    explicit Stopped(pid_t pid) : pid_(pid) {
        // A process has one tracer at a time, and others read filters for a moment, as we do. Whether
        // one is there cannot be asked without a race; root is refused for hardly another reason.
        const auto end = std::chrono::steady_clock::now() + patience;
        while (::ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) {
            const int code = errno;
            if (code != EPERM || ::geteuid() != 0 || std::chrono::steady_clock::now() > end)
                fail_code(code, "stopping process {} to read its system call filters", pid);
            std::this_thread::sleep_for(pause);
        }
        const int status = interrupt(end + patience);
        // It may have stopped because a signal came first; then that is to reach it.
        if (WIFSTOPPED(status) && status >> 16 == 0)
            signal_ = WSTOPSIG(status);
    }
    ~Stopped() { ::ptrace(PTRACE_DETACH, pid_, 0, signal_); }
    Stopped(const Stopped &) = delete;
    Stopped &operator=(const Stopped &) = delete;

    /// The filter `index`, counted from the oldest (unlike ptrace(2) has it); empty when there is none.
    [[nodiscard]] std::vector<sock_filter> filter(unsigned index) const {
        std::vector<sock_filter> program(BPF_MAXINSNS);
        const long count = ::ptrace(PTRACE_SECCOMP_GET_FILTER, pid_, index, program.data());
        if (count < 0 && errno != ENOENT)
            fail_errno("reading the system call filters of process {}", pid_);
        program.resize(static_cast<std::size_t>(std::max(count, 0L)));
        return program;
    }

private:
    /// Its wait status once it has stopped. One that waits in vfork(2) for a child may never stop; it is let
    /// go when we end.
    [[nodiscard]] int interrupt(std::chrono::steady_clock::time_point end) const {
        int status = 0;
        pid_t stopped = 0;
        int code = ::ptrace(PTRACE_INTERRUPT, pid_, 0, 0) < 0 ? errno : 0;
        while (code == 0 && (stopped = ::waitpid(pid_, &status, __WALL | WNOHANG)) == 0) {
            if (std::chrono::steady_clock::now() > end)
                code = ETIMEDOUT;
            std::this_thread::sleep_for(pause);
        }
        if (stopped < 0)
            code = errno;
        if (code == 0)
            return status;
        ::ptrace(PTRACE_DETACH, pid_, 0, 0);
        fail_code(code, "stopping process {} to read its system call filters", pid_);
    }

    pid_t pid_;
    int signal_ = 0;
};

} // namespace

Filters of(pid_t pid) {
    Filters filters;
    if (read_file(berth::format("/proc/{}/status", pid)).contains("\nSeccomp:\t0"))
        return filters;
    const Stopped process(pid);
    for (unsigned index = 0;; ++index) {
        std::vector<sock_filter> program = process.filter(index);
        if (program.empty())
            break;
        filters.push_back(std::move(program));
    }
    return filters;
}

void install(const Filters &filters) {
    for (const std::vector<sock_filter> &program : filters) {
        std::vector<sock_filter> copy = program;
        const sock_fprog argument{.len = static_cast<unsigned short>(copy.size()), .filter = copy.data()};
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &argument) < 0)
            fail_errno("installing a system call filter");
    }
}

} // namespace berth::syscall_filters
