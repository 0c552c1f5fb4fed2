// SPDX-License-Identifier: LGPL-2.1-or-later
// Variables of the launcher's environment that systemd-nspawn heeds: asked of both.
#include "support/options.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

namespace {

class PeerEnvironment : public OptionTest {
protected:
    /// What a shell prints inside, in a machine of `berth run` and in one of systemd-nspawn.
    void expect_of_both(const std::string &variable, const std::string &line, const std::string &out) {
        for (const Words &program : {Words{"berth", "run"}, Words{"systemd-nspawn"}}) {
            Words words{"env", variable};
            words.insert(words.end(), program.begin(), program.end());
            // systemd-nspawn's names are not free at once.
            words.insert(words.end(), {"-q", "-P", "-x", "-M", "options-" + std::to_string(++number), "-D",
                                       tree.path(), "sh", "-c", line});
            const Outcome outcome = run(words);
            EXPECT_EQ(outcome.out, out) << variable << " of " << program.front() << ": " << outcome.err;
        }
    }

    int number = 0;
};

} // namespace

TEST_F(PeerEnvironment, IsHeeded) {
    expect_of_both("SYSTEMD_NSPAWN_TMPFS_TMP=0", "grep -c ' /tmp ' /proc/mounts", "0\n");
    expect_of_both("SYSTEMD_NSPAWN_TMPFS_TMP=1", "grep -c ' /tmp ' /proc/mounts", "1\n");
    expect_of_both("SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes", "test -w /proc/sys/kernel/domainname && echo rw",
                   "rw\n");
    expect_of_both("SYSTEMD_NSPAWN_API_VFS_WRITABLE=no",
                   "grep -c ' /proc/sys proc ro' /proc/mounts; grep ' /proc/sys/net ' /proc/mounts", "1\n");
    expect_of_both(
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network",
        "grep -c ' /proc/sys proc ro' /proc/mounts; grep -q ' /proc/sys/net proc rw' /proc/mounts; echo $?",
        "1\n0\n");
    expect_of_both("SYSTEMD_NSPAWN_CONTAINER_SERVICE=some-service",
                   "echo $container; cat /run/host/container-manager", "some-service\nsome-service\n");
    expect_of_both("SYSTEMD_NSPAWN_SHARE_NS_UTS=1", "hostname", succeed({"hostname"}) + "\n");
}

TEST_F(PeerEnvironment, IsNoReasonToStopWhereItCannotBeHeeded) {
    const Words words{"berth", "run", "-M", "options", "-x", "-D", tree.path(), "true"};
    for (const char *variable :
         {"SYSTEMD_NSPAWN_USE_CGNS=0", "SYSTEMD_SECCOMP=0", "UNIFIED_CGROUP_HIERARCHY=no",
          "SYSTEMD_NSPAWN_SHARE_NS_PID=1", "SYSTEMD_NSPAWN_NETWORK_MAC=02:00:00:00:00:01"}) {
        Words given{"env", variable};
        given.insert(given.end(), words.begin(), words.end());
        const Outcome told = run(given);
        EXPECT_EQ(told.status, 0) << variable;
        const std::string name(variable, std::string_view(variable).find('='));
        EXPECT_THAT(told.err, AllOf(HasSubstr("warning: $" + name), HasSubstr("ignored"))) << variable;
        given.insert(given.begin() + 4, "-q");
        EXPECT_THAT(run(given).err, IsEmpty()) << variable;
    }
}

TEST_F(PeerEnvironment, IsRefusedWhereItWouldReachTheHostOrIsWrong) {
    const auto refused = [&](const char *variable, const Words &options) {
        for (const Words &program : {Words{"berth", "run"}, Words{"systemd-nspawn"}}) {
            Words words{"env", variable};
            words.insert(words.end(), program.begin(), program.end());
            words.insert(words.end(),
                         {"-q", "-x", "-M", "options-" + std::to_string(++number), "-D", tree.path()});
            words.insert(words.end(), options.begin(), options.end());
            const Outcome outcome = run(words);
            EXPECT_NE(outcome.status, 0) << variable << " of " << program.front();
            if (program.front() == "berth") { // says which variable
                const std::string name(variable, std::string_view(variable).find('='));
                EXPECT_THAT(outcome.err, HasSubstr("$" + name));
            }
        }
    };
    for (const char *users : {"-U", "--private-users=identity"})
        refused("SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes", {users, "true"});
    for (const char *mode : {"-b", "-a"})
        refused("SYSTEMD_NSPAWN_SHARE_NS_UTS=1", {mode, "true"});
    refused("SYSTEMD_NSPAWN_API_VFS_WRITABLE=perhaps", {"true"});
    refused("SYSTEMD_NSPAWN_TMPFS_TMP=perhaps", {"true"});
}

TEST_F(PeerEnvironment, ATreeWithoutAnOsCanBeAskedFor) {
    fs::remove(tree / "etc/os-release");
    fs::remove(tree / "usr/lib/os-release");
    const auto boot = [&](const char *variable, const Words &more) {
        Words words{"env", variable, "berth", "run", "-q", "-M", "options", "-x", "-b", "-D", tree.path()};
        words.insert(words.end(), more.begin(), more.end());
        words.insert(words.end(), {"exit", "7"});
        return run(words);
    };
    EXPECT_THAT(boot("A=b", {}).err, HasSubstr("os-release"));
    EXPECT_EQ(boot("SYSTEMD_NSPAWN_CHECK_OS_RELEASE=0", {}).status, 7);
    // Bound in, it is one, for what counts is what the machine sees.
    EXPECT_EQ(boot("A=b", {"--bind-ro=/etc/os-release"}).status, 7);
    EXPECT_THAT(boot("A=b", {"--bind-ro=/etc/passwd:/etc/os-release-not"}).err, HasSubstr("os-release"));
}

TEST_F(PeerEnvironment, LocksCanBeDoneWithout) {
    Process first(words({}, {"sh", "-c", "echo up; read x"}));
    first.wait_for("up");
    const std::string second =
        "berth run -q -M options-other --register=no -D " + tree.path().native() + " true";
    EXPECT_NE(run({"sh", "-c", second}).status, 0);
    EXPECT_EQ(run({"sh", "-c", "SYSTEMD_NSPAWN_LOCK=0 " + second}).status, 0);
    first.write("done\n");
    EXPECT_EQ(first.wait(), 0);
}
