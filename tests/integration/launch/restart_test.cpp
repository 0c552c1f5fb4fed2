// SPDX-License-Identifier: LGPL-2.1-or-later
// berthd goes and comes again; no machine notices, and none is lost.
#include <memory>
#include <vector>

#include "base/io.hpp"
#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

namespace {

class Restart : public HostTest {
protected:
    void SetUp() override {
        HostTest::SetUp();
        for (int i = 0; i < 4; ++i)
            machines.push_back(
                std::make_unique<Machine>("five-" + std::to_string(i), Words{"-D", tree.path(), "-x"}));
        service.start();
    }
    // The units are gone before the fixture's TearDown looks.
    void TearDown() override {
        machines.clear();
        service.stop();
        (void)run({"systemctl", "reset-failed", service.unit()});
        HostTest::TearDown();
    }

    void expect_all_there(const std::vector<std::string> &leaders) {
        EXPECT_THAT(listed(), UnorderedElementsAre("five-0", "five-1", "five-2", "five-3", "five-s"));
        EXPECT_EQ(all_leaders(), leaders);
        for (const auto &machine : machines) {
            EXPECT_EQ(machine->exec({"echo", "alive"}), "alive");
            EXPECT_FALSE(machine->launcher().ended());
        }
        for (const char *name : {"five-0", "five-s"})
            EXPECT_THAT(text_of(std::string("/run/systemd/machines/") + name),
                        testing::HasSubstr(std::string("NAME=") + name));
    }

    [[nodiscard]] std::vector<std::string> all_leaders() const {
        std::vector<std::string> leaders;
        for (const auto &machine : machines)
            leaders.push_back(machine->property("Leader") + machine->property("Unit")
                              + machine->property("Id"));
        leaders.push_back(service.property("Leader") + service.property("Unit"));
        return leaders;
    }

    SmallTree tree;
    std::vector<std::unique_ptr<Machine>> machines;
    Service service{"five-s",
                    "[root]\ndirectory = \"" + tree.path().native() + "\"\nupper = \"ephemeral\"\n"};
};

/// Kills berthd as a crash would, and waits until it is gone.
void kill_manager() {
    const std::string pid = unit_property("berthd.service", "MainPID");
    ASSERT_NE(pid, "0");
    succeed({"systemctl", "kill", "--signal=KILL", "berthd.service"});
    ASSERT_TRUE(eventually([&] { return unit_property("berthd.service", "MainPID") != pid; }));
}

} // namespace

TEST_F(Restart, KilledManagerLosesNoMachine) {
    const auto leaders = all_leaders();
    kill_manager();
    expect_all_there(leaders);
    for (const auto &machine : machines) {
        berth_succeeds({"terminate", machine->name()});
        EXPECT_EQ(machine->launcher().wait(), 128 + 9);
    }
    berth_succeeds({"terminate", "five-s"});
    EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(Restart, RestartedManagerLosesNoMachine) {
    const auto leaders = all_leaders();
    succeed({"systemctl", "restart", "berthd.service"});
    expect_all_there(leaders);
    succeed({"systemctl", "restart", "berthd.service"});
    expect_all_there(leaders);
}

TEST_F(Restart, MachinesThatEndWhileTheManagerIsAwayAreNotListed) {
    succeed({"systemctl", "stop", "berthd.service"});
    machines[0]->launcher().send_signal(SIGKILL);
    machines[0]->launcher().wait();
    EXPECT_THAT(listed(), Not(Contains("five-0"))) << "the bus starts the manager again";
    EXPECT_THAT(listed(), Contains("five-1"));
    EXPECT_THAT(text_of("/run/systemd/machines/five-0"), testing::StartsWith("(there is no"));
}

TEST_F(Restart, MachinesStartWhileTheManagerIsStopped) {
    succeed({"systemctl", "stop", "berthd.service"});
    const Machine machine("six", {"-D", tree.path(), "-x"});
    EXPECT_THAT(listed(), Contains("six"));
    EXPECT_EQ(listed().size(), 6U);
}

TEST_F(Restart, ManagerIsKilledWhileMachinesStart) {
    // A launcher whose call is lost fails with words, and can be started again.
    for (int i = 0; i < 10; ++i) {
        Process launcher(run_words("unlucky", {"-D", tree.path(), "-x"}, {"true"}));
        (void)run({"systemctl", "kill", "--signal=KILL", "berthd.service"});
        if (launcher.wait() != 0) {
            EXPECT_THAT(launcher.err(), testing::HasSubstr("berth run: registering machine"));
        }
        (void)run(
            {"systemctl", "reset-failed", "berthd.service"}); // many starts in a short time are our own fault
    }
    EXPECT_TRUE(eventually(
        [&] { return run(run_words("unlucky", {"-D", tree.path(), "-x"}, {"true"})).status == 0; }));
}

TEST_F(Restart, HalfWrittenStateIsPassedOver) {
    succeed({"systemctl", "stop", "berthd.service"});
    berth::write_file_atomic("/run/berth/machines/broken", "NAME=broken\nSCO", 0644);
    berth::write_file_atomic(
        "/run/berth/machines/dead",
        "NAME=dead\nSCOPE=machine-dead.scope\nLEADER=4194301\nCLASS=container\nOWN_UNIT=1\n", 0644);
    EXPECT_THAT(listed(), UnorderedElementsAre("five-0", "five-1", "five-2", "five-3", "five-s"));
    std::filesystem::remove("/run/berth/machines/broken");
    EXPECT_FALSE(std::filesystem::exists("/run/berth/machines/dead"));
}
