// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pidfd.hpp"
#include "expect_error.hpp"

using namespace berth;

namespace {

process::Place place(const std::string &path) {
    return process::parse_cgroup("3:cpu:/other.scope\n0::" + path + "\n");
}

} // namespace

TEST(Process, TheUnitIsTheFirstThatIsNoSlice) {
    EXPECT_EQ(place("/machine.slice/machine-a.scope").unit, "machine-a.scope");
    EXPECT_EQ(place("/machine.slice/machine-a.scope").cgroup, "/machine.slice/machine-a.scope");
    EXPECT_EQ(place("/init.scope").unit, "init.scope");
    EXPECT_EQ(place("/user.slice/user-1.slice/user@1.service/app.slice/x.scope").unit, "user@1.service");
}

TEST(Process, WhatIsBelowTheUnitIsNotLookedAt) {
    const auto inner = place("/a.slice/a-b.slice/machine-a.scope/payload/system.slice/dbus.service");
    EXPECT_EQ(inner.unit, "machine-a.scope");
    EXPECT_EQ(inner.cgroup, "/a.slice/a-b.slice/machine-a.scope");
}

TEST(Process, EscapedNames) {
    EXPECT_EQ(place("/system.slice/_cgroup.service").unit, "cgroup.service");
    EXPECT_EQ(place("/system.slice/_cgroup.service").cgroup, "/system.slice/_cgroup.service");
}

TEST(Process, CgroupsOfSlices) {
    EXPECT_EQ(process::slice_path("machine.slice"), "/machine.slice");
    EXPECT_EQ(process::slice_path("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
    EXPECT_EQ(process::slice_path("-.slice"), "");
}

TEST(Process, WithoutUnit) {
    for (const char *path : {"/", "/machine.slice", "/..", "/../x.scope", "/docker/abc", ""})
        EXPECT_EQ(place(path).unit, "") << path;
    EXPECT_EQ(process::parse_cgroup("").unit, "");
    EXPECT_EQ(process::parse_cgroup("4:pids:/a.scope\n").unit, "");
}

TEST(Process, OnesWhichHaveExitedAreNowhere) {
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(0);
    const unique_fd fd = pidfd::open(pid);
    ::siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT); // it stays a zombie
    EXPECT_THROW((void)process::place_of(fd.get(), pid), Error);
    EXPECT_THROW((void)process::open_proc(fd.get(), "ns", O_RDONLY), Error);
    EXPECT_FALSE(process::open_in_unit(pid, "x.scope"));
    ::waitpid(pid, nullptr, 0);
    EXPECT_FALSE(process::open_in_unit(pid, "x.scope"));
}

TEST(Process, AnotherUnitIsNotTheRightOne) {
    EXPECT_FALSE(process::open_in_unit(::getpid(), "surely-not-this.scope"));
    EXPECT_FALSE(process::open_in_unit(::getpid(), ""));
}

TEST(Process, ALeaderIsKnownByItsId) {
    const unique_fd self = pidfd::open(::getpid());
    const std::uint64_t id = pidfd::id_of(self.get());
    if (id == 0)
        GTEST_SKIP() << "this kernel has no pidfs";
    EXPECT_TRUE(process::open_leader({.pid = ::getpid(), .id = id, .unit = "whatever.scope"}));
    EXPECT_FALSE(process::open_leader({.pid = ::getpid(), .id = id + 1, .unit = "whatever.scope"}));
    EXPECT_FALSE(process::open_leader({.pid = ::getppid(), .id = id, .unit = "whatever.scope"}));
    EXPECT_FALSE(process::open_leader({.pid = ::getpid(), .id = 0, .unit = "surely-not-this.scope"}));
}
