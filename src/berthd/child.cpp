// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/child.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/unique_fd.hpp"

namespace berth {

namespace {

constexpr int succeeded = 0;
constexpr int threw = 1;

/// Closes all but stdio, `a` and `b`: our end of the bus must not outlive us in a child.
void close_others(int a, int b) {
    unsigned from = STDERR_FILENO + 1;
    std::array kept{a, b};
    std::ranges::sort(kept);
    for (const int fd : kept) {
        const auto number = static_cast<unsigned>(fd);
        if (number > from)
            ::close_range(from, number - 1, 0);
        from = std::max(from, number + 1);
    }
    ::close_range(from, ~0U, 0);
}

[[noreturn]] void run(int keep, int out, const std::function<std::string()> &work) {
    int status = succeeded;
    try {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        close_others(keep, out);
        write_all(out, work(), "the result");
    } catch (const std::exception &error) {
        status = threw;
        try {
            write_all(out, error.what(), "the error");
        } catch (const Error &) { // what() was all that was left to say
            status = threw;
        }
    }
    ::_exit(status);
}

int on_exit(sd_event_source * /*source*/, const siginfo_t *info, void *data) {
    const bool exited = info->si_code == CLD_EXITED;
    static_cast<const Outcome<int> *>(data)->give(exited ? info->si_status : -1);
    return 0;
}

} // namespace

Task<std::string> in_child(sd_event *loop, std::string doing, int keep, std::chrono::milliseconds limit,
                           std::function<std::string()> work) {
    const unique_fd out(::memfd_create("berthd-child", MFD_CLOEXEC));
    if (!out)
        fail_errno("{}: creating a memfd", doing);
    const pid_t pid = ::fork();
    if (pid < 0)
        fail_errno("{}: forking", doing);
    if (pid == 0)
        run(keep, out.get(), work);

    Outcome<int> ended;
    sd_event_source *source = nullptr;
    if (const int result = ::sd_event_add_child(loop, &source, pid, WEXITED, on_exit, &ended); result < 0)
        fail_code(-result, "{}: watching the child", doing);
    const EventSourcePtr owner(source);
    ::sd_event_source_set_child_process_own(source, 1); // it ends with us, however we end
    const Timer timer(loop, Clock::now() + limit,
                      [source] { ::sd_event_source_send_child_signal(source, SIGKILL, nullptr, 0); });
    const int status = co_await ended;
    if (status != succeeded && status != threw)
        fail_code(ETIMEDOUT, "{}", doing);
    ::lseek(out.get(), 0, SEEK_SET);
    std::string text = read_all(out.get(), doing);
    if (status == threw)
        throw Error(doing + ": " + text);
    co_return text;
}

} // namespace berth
