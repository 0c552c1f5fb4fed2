// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/stub_init.hpp"

#include <signal.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

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

void run(pid_t command) noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    for (;;) {
        const int signal = ::sigwaitinfo(&all, nullptr);
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
