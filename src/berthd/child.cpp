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

/// A child, for as long as there is one.
struct Child {
    Outcome<int> ended;
    std::shared_ptr<void> token;
};

int on_exit(sd_event_source *source, const siginfo_t *info, void *data) {
    const bool exited = info->si_code == CLD_EXITED;
    static_cast<const Child *>(data)->ended.give(exited ? info->si_status : -1);
    ::sd_event_source_set_floating(source, 0); // the last who had it was the loop
    return 0;
}

void on_destruction(void *data) {
    const std::unique_ptr<Child> gone(static_cast<Child *>(data));
}

/// The source is the loop's alone, until the child has ended.
sd_event_source *watch(sd_event *loop, pid_t pid, std::unique_ptr<Child> child, const std::string &doing) {
    sd_event_source *source = nullptr;
    if (const int result = ::sd_event_add_child(loop, &source, pid, WEXITED, on_exit, child.get());
        result < 0)
        fail_code(-result, "{}: watching the child", doing);
    ::sd_event_source_set_destroy_callback(source, on_destruction);
    (void)child.release();                     // on_destruction() has it now
    ::sd_event_source_set_floating(source, 1); // with a reference of the loop's own
    ::sd_event_source_unref(source);
    return source;
}

} // namespace

Task<std::string> in_child(sd_event *loop, std::string doing, int keep, std::chrono::milliseconds limit,
                           std::function<std::string()> work, std::shared_ptr<void> token) {
    const unique_fd out(::memfd_create("berthd-child", MFD_CLOEXEC));
    if (!out)
        fail_errno("{}: creating a memfd", doing);
    const pid_t pid = ::fork();
    if (pid < 0)
        fail_errno("{}: forking", doing);
    if (pid == 0)
        run(keep, out.get(), work);

    const Outcome<int> ended;
    sd_event_source *source = watch(loop, pid, std::make_unique<Child>(ended, std::move(token)), doing);
    const Timer timer(loop, Clock::now() + limit, [source, ended] {
        ::sd_event_source_send_child_signal(source, SIGKILL, nullptr, 0);
        ended.give(-1);
    });
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
