// SPDX-License-Identifier: LGPL-2.1-or-later
// The units that machines are in.
#include <signal.h>

#include <filesystem>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

class Scope : public HostTest {
protected:
    [[nodiscard]] Words on_tree(Words more = {}) const {
        more.insert(more.begin(), {"-D", tree.path().native(), "-x"});
        return more;
    }

    SmallTree tree;
};

} // namespace

TEST_F(Scope, IsDelegatedInTheMachineSlice) {
    const Machine machine("scoped", on_tree());
    EXPECT_EQ(machine.property("Unit"), "machine-scoped.scope");
    const std::string unit = machine.property("Unit");
    EXPECT_EQ(unit_property(unit, "Slice"), "machine.slice");
    EXPECT_EQ(unit_property(unit, "Delegate"), "yes");
    EXPECT_EQ(unit_property(unit, "ActiveState"), "active");
    EXPECT_EQ(unit_property(unit, "Description"), "Container scoped");
    EXPECT_EQ(machine.cgroup(), "/sys/fs/cgroup/machine.slice/machine-scoped.scope/payload");
}

TEST_F(Scope, PayloadSeesItsOwnSubgroupAsRoot) {
    const Machine machine("scoped", on_tree());
    EXPECT_EQ(machine.exec({"grep", "^0::", "/proc/1/cgroup"}), "0::/");
    machine.exec({"mkdir", "/sys/fs/cgroup/made-inside"});
    EXPECT_TRUE(fs::exists("/sys/fs/cgroup/machine.slice/machine-scoped.scope/payload/made-inside"));
}

TEST_F(Scope, ExecedCommandsAreInTheMachinesUnit) {
    const Machine machine("scoped", on_tree());
    Process inside({"berth", "exec", "scoped", "sh", "-c", "echo in; exec sleep infinity"});
    inside.wait_for("in");
    const Outcome found = run({"sh", "-c",
                               "grep -l infinity /proc/[0-9]*/cmdline | xargs dirname | while read p; do"
                               " grep ^0:: $p/cgroup; done | sort -u"});
    EXPECT_THAT(found.out, HasSubstr("machine.slice/machine-scoped.scope"));
    berth_succeeds({"terminate", "scoped"});
    EXPECT_EQ(inside.wait(), 128 + SIGKILL) << "nothing of the machine outlives it";
}

TEST_F(Scope, NamesAreEscaped) {
    const Machine machine("with-dash_and.dot", on_tree());
    EXPECT_EQ(machine.property("Unit"), "machine-with\\x2ddash_and.dot.scope");
    EXPECT_EQ(unit_property("machine-with\\x2ddash_and.dot.scope", "ActiveState"), "active");
}

TEST_F(Scope, SliceAndPropertiesAreTheUsers) {
    const Machine machine("scoped", on_tree({"--slice=berth-test", "--property=Description=My own words",
                                             "--property=TimeoutStopSec=17s", "--property=CPUWeight=42"}));
    const std::string unit = machine.property("Unit");
    EXPECT_EQ(unit_property(unit, "Slice"), "berth-test.slice");
    EXPECT_EQ(unit_property(unit, "Description"), "My own words");
    EXPECT_EQ(unit_property(unit, "TimeoutStopUSec"), "17s");
    EXPECT_EQ(unit_property(unit, "CPUWeight"), "42");
    EXPECT_EQ(unit_property(unit, "Delegate"), "yes");
}

TEST_F(Scope, PropertiesThatSystemdDoesNotKnowAreErrors) {
    const Outcome outcome =
        try_berth({"run", "-q", "-M", "scoped", "-D", tree.path(), "-x", "--property=NoSuch=1", "true"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("NoSuch"));
}

TEST_F(Scope, UnregisteredMachineHasAScopeAllTheSame) {
    Machine machine("scoped", on_tree({"--register=no"}));
    EXPECT_EQ(try_berth({"show", "scoped"}).status, 1);
    EXPECT_EQ(unit_property("machine-scoped.scope", "ActiveState"), "active");
    EXPECT_EQ(unit_property("machine-scoped.scope", "Delegate"), "yes");
    EXPECT_EQ(unit_property("machine-scoped.scope", "Slice"), "machine.slice");
    succeed({"systemctl", "kill", "--signal=KILL", "machine-scoped.scope"});
    EXPECT_EQ(machine.launcher().wait(), 128 + SIGKILL);
}

TEST_F(Scope, OneInUseIsLeftAlone) {
    Machine machine("scoped", on_tree({"--register=no"}));
    for (const char *option : {"--register=no", "--register=yes"}) {
        const Outcome refused = run(run_words("scoped", on_tree({option}), {"true"}));
        EXPECT_EQ(refused.status, 1) << option;
        EXPECT_THAT(refused.err, HasSubstr("machine-scoped.scope is there already and has processes"));
        EXPECT_FALSE(machine.launcher().ended()) << option;
    }
    machine.launcher().send_signal(SIGKILL);
    machine.launcher().wait();
    EXPECT_EQ(run(run_words("scoped", on_tree(), {"true"})).status, 0) << "what just died is waited for";
}

TEST_F(Scope, OneThatFollowsARegisteredMachineIsNotSweptAway) {
    EXPECT_EQ(run(run_words("scoped", on_tree(), {"true"})).status, 0);
    // Longer than it takes until the rest of a machine is looked for.
    const Outcome next = run(run_words("scoped", on_tree({"--register=no"}), {"sleep", "1"}));
    EXPECT_EQ(next.status, 0) << next.err;
}

TEST_F(Scope, WhatAMachineLeavesInItIsNotInTheWay) {
    // A process of the host's own in the scope: it does not end with the machine.
    const auto leave = [](const Machine &machine) {
        auto process = std::make_unique<Process>(Words{"sh", "-c", "echo up; exec sleep 60"});
        process->wait_for("up");
        succeed({"busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                 "org.freedesktop.systemd1.Manager", "AttachProcessesToUnit", "ssau",
                 machine.property("Unit"), "/", "1", std::to_string(process->pid())});
        return process;
    };
    std::unique_ptr<Process> left;
    {
        Machine machine("scoped", on_tree({"--pipe"}), {"sh", "-c", "echo up; read line"});
        left = leave(machine);
        machine.launcher().write("go\n"); // it ends by itself: nobody has its unit stopped
        EXPECT_EQ(machine.launcher().wait(), 0);
    }
    EXPECT_FALSE(left->ended());
    EXPECT_EQ(run(run_words("scoped", on_tree(), {"true"})).status, 0);
    EXPECT_EQ(left->wait(), 128 + SIGKILL);
}

TEST_F(Scope, ServiceHasTheSupervisorBesideThePayload) {
    Service machine("served",
                    "[root]\ndirectory = \"" + tree.path().native() + "\"\nupper = \"ephemeral\"\n");
    machine.start();
    EXPECT_EQ(machine.property("Unit"), "berth@served.service");
    EXPECT_EQ(machine.unit_property("Type"), "notify");
    EXPECT_EQ(machine.unit_property("Slice"), "machine.slice");
    EXPECT_EQ(machine.unit_property("Delegate"), "yes");
    EXPECT_EQ(machine.unit_property("KillMode"), "mixed");
    const fs::path group = "/sys/fs/cgroup/machine.slice/berth@served.service";
    EXPECT_EQ(machine.cgroup(), group / "payload");
    EXPECT_EQ(text_of(group / "supervisor/cgroup.procs"), machine.unit_property("MainPID") + "\n");
    EXPECT_EQ(text_of(group / "payload/cgroup.procs"), machine.property("Leader") + "\n");
    EXPECT_EQ(machine.exec({"grep", "^0::", "/proc/1/cgroup"}), "0::/");
}

TEST_F(Scope, ServiceStaysServiceOverAReboot) {
    Service machine("served",
                    "[root]\ndirectory = \"" + tree.path().native() + "\"\nupper = \"ephemeral\"\n");
    machine.start();
    const std::string main = machine.unit_property("MainPID");
    const pid_t leader = machine.leader();
    berth_succeeds({"reboot", "served"});
    ASSERT_TRUE(eventually([&] {
        const Outcome shown = try_berth({"show", "served", "-P", "Leader"});
        return shown.status == 0 && shown.out != std::to_string(leader) + "\n";
    }));
    EXPECT_EQ(machine.unit_property("MainPID"), main);
    EXPECT_EQ(machine.property("Unit"), "berth@served.service");
    EXPECT_THAT(machine.cgroup().native(), EndsWith("berth@served.service/payload"));
}
