// SPDX-License-Identifier: LGPL-2.1-or-later
// Machines as services: ready when their init says so, failed when it does not come up.
#include <filesystem>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class Notify : public HostTest {
protected:
    /// What has the test init behave that way.
    [[nodiscard]] std::string toml(const std::string &parameters) const {
        return "[root]\ndirectory = \"" + tree.path().native()
               + "\"\nupper = \"ephemeral\"\n[exec]\nnotify_ready = true\nparameters = " + parameters + "\n";
    }

    SmallTree tree;
};

} // namespace

TEST_F(Notify, StartReturnsOnlyWhenTheInitIsReady) {
    const Service machine("slow", toml("[\"hold\"]"));
    Process start({"systemctl", "start", machine.unit()});
    // The init says that it is up, and not that it is ready.
    ASSERT_TRUE(eventually([&] { return machine.unit_property("StatusText") == "Machine running: holding"; }))
        << machine.unit_property("StatusText");
    EXPECT_EQ(machine.unit_property("ActiveState"), "activating");
    EXPECT_FALSE(start.ended());
    EXPECT_THAT(listed(), Contains("slow")) << "it can be looked at meanwhile";

    berth_succeeds({"kill", "--signal=USR1", "--kill-whom=leader", "slow"});
    EXPECT_EQ(start.wait(), 0) << start.err();
    EXPECT_EQ(machine.unit_property("ActiveState"), "active");
}

TEST_F(Notify, AnInitThatIsNotSystemdIsReadyOnceItRuns) {
    const std::string unsaid = "[root]\ndirectory = \"" + tree.path().native()
                               + "\"\nupper = \"ephemeral\"\n[exec]\nparameters = [\"hold\"]\n";
    const Service machine("slow", unsaid);
    succeed({"berth", "start", "slow"});
    EXPECT_EQ(machine.unit_property("ActiveState"), "active");
    EXPECT_THAT(listed(), Contains("slow"));
}

TEST_F(Notify, BusyboxUnderstandsWhatItIsAsked) {
    const Service machine("slow", std::string("[root]\ndirectory = \"") + busybox_tree
                                      + "\"\nupper = \"ephemeral\"\n");
    succeed({"berth", "start", "slow"});
    const auto leader = [] { return succeed({"berth", "show", "slow", "-p", "Leader", "--value"}); };
    const std::string first = leader();
    succeed({"berth", "reboot", "slow"});
    EXPECT_TRUE(eventually([&] {
        const Outcome now = run({"berth", "show", "slow", "-p", "Leader", "--value"});
        return now.status == 0 && now.out != first + "\n";
    }));
    succeed({"berth", "poweroff", "slow"});
    EXPECT_TRUE(eventually([&] { return machine.unit_property("ActiveState") == "inactive"; }));
}

TEST_F(Notify, TenRestartsInARowAreNone) {
    const Service machine("slow", toml("[\"ready\"]"));
    succeed({"berth", "start", "slow"});
    for (int i = 0; i < 10; ++i)
        succeed({"systemctl", "restart", machine.unit()});
    EXPECT_EQ(machine.unit_property("ActiveState"), "active");
}

TEST_F(Notify, BerthStartIsTheSame) {
    const Service machine("slow", toml("[\"hold\"]"));
    Process start({"berth", "start", "slow"});
    ASSERT_TRUE(
        eventually([&] { return machine.unit_property("StatusText") == "Machine running: holding"; }));
    EXPECT_FALSE(start.ended());
    berth_succeeds({"kill", "--signal=USR1", "--kill-whom=leader", "slow"});
    EXPECT_EQ(start.wait(), 0) << start.err();
}

TEST_F(Notify, OnlyPidOneIsHeard) {
    const Service machine("slow", toml("[\"hold\"]"));
    Process start({"systemctl", "start", machine.unit()});
    ASSERT_TRUE(
        eventually([&] { return machine.unit_property("StatusText") == "Machine running: holding"; }));
    // Another process of the machine speaks on the same socket.
    machine.exec({"sh", "-c",
                  "NOTIFY_SOCKET=/run/host/notify /sbin/init ready > /tmp/said &"
                  " until grep -q 'is up' /tmp/said; do sleep 0.05; done; kill $!"});
    berth_succeeds({"kill", "--signal=USR2", "--kill-whom=leader", "slow"});
    ASSERT_TRUE(
        eventually([&] { return machine.unit_property("StatusText") == "Machine running: still holding"; }));
    EXPECT_EQ(machine.unit_property("ActiveState"), "activating") << "what came before that was passed over";
    berth_succeeds({"kill", "--signal=USR1", "--kill-whom=leader", "slow"});
    EXPECT_EQ(start.wait(), 0);
}

TEST_F(Notify, InitThatExitsFailsTheStart) {
    const Service machine("failing", toml("[\"exit\", \"3\"]"));
    const Outcome outcome = run({"systemctl", "start", machine.unit()});
    EXPECT_NE(outcome.status, 0);
    EXPECT_EQ(machine.unit_property("ActiveState"), "failed");
    EXPECT_EQ(machine.unit_property("ExecMainStatus"), "3");
}

TEST_F(Notify, BerthStartSaysWhy) {
    const Service exits("failing", toml("[\"exit\", \"3\"]"));
    const Outcome outcome = try_berth({"start", "failing"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("starting failing failed"), HasSubstr("exit-code"),
                                   HasSubstr("journalctl -u berth@failing.service")));

    const Service misses("missing", "[root]\ndirectory = \"/no/such/tree\"\n");
    const Outcome missing = try_berth({"start", "missing"});
    EXPECT_EQ(missing.status, 1);
    EXPECT_THAT(missing.err, AllOf(HasSubstr("/etc/berth/missing.toml:2:"), HasSubstr("/no/such/tree"),
                                   HasSubstr("No such file or directory")));
}

TEST_F(Notify, StartOfWhatDoesNotExistSaysSo) {
    const Outcome outcome = try_berth({"start", "no-such-machine"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("no-such-machine"), HasSubstr("/var/lib/machines")));
    (void)run({"systemctl", "reset-failed", "berth@no-such-machine.service"});
}

TEST_F(Notify, SeveralStartTogether) {
    const Service one("one", toml("[\"ready\"]"));
    const Service two("two", toml("[\"ready\"]"));
    const Service bad("bad", toml("[\"exit\", \"1\"]"));
    const Outcome outcome = try_berth({"start", "one", "bad", "two"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("bad"), Not(HasSubstr("starting one"))));
    EXPECT_THAT(listed(), testing::ElementsAre("one", "two"));
}

TEST_F(Notify, EnabledMachinesStartWithTheTarget) {
    const Service machine("enabled", toml("[\"ready\"]"));
    const Outcome outcome = try_berth({"enable", "enabled"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_TRUE(fs::is_symlink("/etc/systemd/system/machines.target.wants/berth@enabled.service"));
    EXPECT_THAT(unit_property("machines.target", "Wants"), HasSubstr("berth@enabled.service"));
    EXPECT_THAT(unit_property("multi-user.target", "Wants"), HasSubstr("machines.target"));
    EXPECT_THAT(listed(), Not(Contains("enabled")));

    succeed({"systemctl", "start", "machines.target"});
    EXPECT_EQ(machine.unit_property("ActiveState"), "active");
    EXPECT_THAT(listed(), Contains("enabled"));
    succeed({"systemctl", "stop", "machines.target"}); // PartOf=
    // The target does not wait for what stops with it.
    EXPECT_TRUE(eventually([&] { return machine.unit_property("ActiveState") == "inactive"; }));

    EXPECT_EQ(try_berth({"disable", "enabled"}).status, 0);
    EXPECT_FALSE(fs::exists("/etc/systemd/system/machines.target.wants/berth@enabled.service"));
}

TEST_F(Notify, SystemctlEnableDoesItToo) {
    const Service machine("enabled", toml("[\"ready\"]"));
    succeed({"systemctl", "enable", "--now", machine.unit()});
    EXPECT_THAT(unit_property("machines.target", "Wants"), HasSubstr("berth@enabled.service"));
    EXPECT_EQ(machine.unit_property("ActiveState"), "active");
    succeed({"systemctl", "disable", "--now", machine.unit()});
    EXPECT_EQ(machine.unit_property("ActiveState"), "inactive");
}
