// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/format.hpp"
#include "systemd/earlier_unit.hpp"

#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "base/io.hpp"

using namespace berth;

namespace {

/// A line of /proc/PID/stat.
std::string stat_line(const char *state, const char *flags, const char *threads, const char *pending) {
    return berth::format("7 (a) Z b) {} 1 7 7 0 -1 {} 0 0 0 0 0 0 0 0 20 0 {} 0 5 0 0 9 1 1 0 0 0 {} 0 0 0\n",
                         state, flags, threads, pending);
}

} // namespace

TEST(EarlierUnit, WhatIsAboutToGoDoesNotStay) {
    EXPECT_TRUE(earlier_unit::is_staying(::getpid()));
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(0);
    ::siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT); // it stays a zombie
    EXPECT_FALSE(earlier_unit::is_staying(pid));
    ::waitpid(pid, nullptr, 0);
    EXPECT_FALSE(earlier_unit::is_staying(pid));
}

TEST(EarlierUnit, AProcessWithoutItsFirstThreadStays) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        std::thread([] {
            for (;;)
                ::pause();
        }).detach();
        ::syscall(SYS_exit, 0); // of this thread alone
    }
    const std::string file = berth::format("/proc/{}/stat", pid);
    const auto looks_dead = [&] { return read_file(file).contains(") Z "); };
    for (int i = 0; i < 10'000 && !looks_dead(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_TRUE(looks_dead());
    EXPECT_TRUE(earlier_unit::is_staying(pid));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

TEST(EarlierUnit, FlagsThreadsAndPendingSignalsTellIt) {
    using earlier_unit::tells_of_staying;
    EXPECT_TRUE(tells_of_staying(stat_line("S", "4194560", "1", "0")));
    EXPECT_TRUE(tells_of_staying(stat_line("D", "4194560", "1", "16384"))) << "SIGTERM may be caught";
    EXPECT_TRUE(tells_of_staying(stat_line("Z", "4194564", "2", "0")));
    EXPECT_FALSE(tells_of_staying(stat_line("D", "4194560", "2", "256")));
    EXPECT_FALSE(tells_of_staying(stat_line("R", "4194564", "1", "0")));
    EXPECT_FALSE(tells_of_staying(stat_line("Z", "4194560", "1", "0")));
    EXPECT_FALSE(tells_of_staying(""));
}
