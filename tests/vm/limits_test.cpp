// SPDX-License-Identifier: LGPL-2.1-or-later
// Limits given as unit properties hold for the machine. Needs a kernel with all controllers at
// systemd's command, which only the virtual machine has.
#include <filesystem>
#include <fstream>
#include <memory>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

class Limits : public HostTest {
protected:
    [[nodiscard]] Words limited(Words more = {}) const {
        more.insert(more.begin(), {"-D", tree.path().native(), "-x", "--property=MemoryMax=64M",
                                   "--property=MemorySwapMax=0", "--property=TasksMax=50"});
        return more;
    }

    SmallTree tree;
    const fs::path scope = "/sys/fs/cgroup/machine.slice/machine-limited.scope";
};

} // namespace

TEST_F(Limits, AreInForceOnTheMachinesCgroup) {
    const Machine machine("limited", limited());
    EXPECT_EQ(text_of(scope / "memory.max"), "67108864\n");
    EXPECT_EQ(text_of(scope / "pids.max"), "50\n");
    EXPECT_EQ(unit_property("machine-limited.scope", "MemoryMax"), "67108864");
    EXPECT_EQ(machine.cgroup(), scope / "payload");
}

TEST_F(Limits, AllocationBeyondTheMemoryLimitIsKilled) {
    const Machine machine("limited", limited());
    EXPECT_EQ(machine.exec({"sh", "-c", "head -c 20000000 /dev/zero | tail -c 20000000 | wc -c"}),
              "20000000");
    const Outcome outcome = machine.try_exec({"tail", "-c", "200000000", "/dev/zero"}); // keeps all it reads
    EXPECT_EQ(outcome.status, 128 + 9);
    EXPECT_THAT(text_of(scope / "memory.events"), ContainsRegex("oom_kill [1-9]"));
}

TEST_F(Limits, ForkBombIsBounded) {
    const Machine machine("limited", limited());
    const Outcome outcome = machine.try_exec(
        {"sh", "-c", "i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; echo done"});
    EXPECT_THAT(outcome.err + outcome.out, HasSubstr("fork"));
    EXPECT_THAT(text_of(scope / "pids.events"), ContainsRegex("max [1-9]"));
    EXPECT_LE(std::stoi(text_of(scope / "pids.current")), 50);
}

TEST_F(Limits, StatusShowsUsage) {
    const Machine machine("limited", limited());
    const std::string text = berth_succeeds({"status", "limited"});
    EXPECT_THAT(text, ContainsRegex("Tasks: [0-9]+ \\(limit: 50\\)"));
    EXPECT_THAT(text, ContainsRegex("Memory: [0-9.]+[KM] \\(max: 64.0M"));
    EXPECT_THAT(text, ContainsRegex("CPU: [0-9.]+m?s"));
}

TEST_F(Limits, InitOfABootedMachineHasControllersOfItsOwn) {
    const Machine machine("limited", limited({"--boot"}), {"ready"});
    EXPECT_THAT(machine.exec({"cat", "/sys/fs/cgroup/cgroup.controllers"}),
                AllOf(HasSubstr("memory"), HasSubstr("pids")));
}

TEST_F(Limits, ServiceHasItsUnitsLimits) {
    Service machine("bounded",
                    "[root]\ndirectory = \"" + tree.path().native() + "\"\nupper = \"ephemeral\"\n");
    machine.start();
    EXPECT_EQ(text_of("/sys/fs/cgroup/machine.slice/berth@bounded.service/pids.max"), "16384\n");
    EXPECT_THAT(berth_succeeds({"status", "bounded"}), ContainsRegex("Tasks: [0-9]+ \\(limit: 16384\\)"));
}
