// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/stub_init.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/error.hpp"
#include "base/first_process.hpp"
#include "base/memory.hpp"
#include "base/unique_fd.hpp"

namespace berth::stub_init {

namespace {

constexpr time_t patience = 10; // seconds between SIGTERM and SIGKILL

/// Reaps all that has ended. True when `command` was among it; `status` is then its wait status.
bool reap(pid_t command, int &status) noexcept {
    bool ended = false;
    int one = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &one, WNOHANG)) > 0;)
        if (pid == command) {
            ended = true;
            status = one;
        }
    return ended;
}

/// Ends every process of the namespace but us. In a pid namespace -1 means just those.
void end_all() noexcept {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ::kill(-1, SIGTERM);
    ::kill(-1, SIGCONT);
    timespec until{};
    ::clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += patience;
    for (;;) {
        int status = 0;
        reap(0, status);
        if (::waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD)
            return;
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= until.tv_sec)
            break;
        const timespec left{.tv_sec = until.tv_sec - now.tv_sec, .tv_nsec = 0};
        ::sigtimedwait(&child, nullptr, &left);
    }
    ::kill(-1, SIGKILL);
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
}

[[noreturn]] void exit_like(int status) noexcept {
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

} // namespace

void leave_launcher() {
    if (::setsid() < 0)
        fail_errno("starting a session");
    const unique_fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null)
        fail_errno("opening /dev/null");
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::dup2(null.get(), fd) < 0)
            fail_errno("leaving the launcher's stdio");
    forget_arguments(first_process::stub_name); // the launcher's, which PID 1's would be
    // Of the host's user namespace is the memory, whatever namespace we are in: nobody inside may look.
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        fail_errno("closing our memory");
    if (::prctl(PR_SET_NAME, first_process::stub_name, 0, 0, 0) < 0)
        fail_errno("setting our name");
    ::close_range(STDERR_FILENO + 1, UINT_MAX, 0); // last: it is the sign that we have left
}

void run(pid_t command) noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    for (int signal = SIGCHLD;; signal = ::sigwaitinfo(&all, nullptr)) { // it may have ended already
        int status = 0;
        if (signal == SIGCHLD && reap(command, status))
            exit_like(status);
        if (signal == SIGINT || signal == SIGRTMIN + 5) {
            end_all();
            ::reboot(RB_AUTOBOOT);
        } else if (signal == SIGTERM || signal == SIGRTMIN + 3 || signal == SIGRTMIN + 4) {
            end_all();
            ::reboot(signal == SIGRTMIN + 3 ? RB_HALT_SYSTEM : RB_POWER_OFF);
        }
    }
}

} // namespace berth::stub_init
