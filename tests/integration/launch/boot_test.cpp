// SPDX-License-Identifier: LGPL-2.1-or-later
// A whole Debian boots, finds what the Container Interface of systemd promises, and leaves its
// tree as it was.
#include <filesystem>
#include <memory>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/snapshot.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

namespace {

constexpr const char *toml = "[root]\ndirectory = \"/var/lib/machines/debian\"\nupper = \"ephemeral\"\n"
                             "[network]\nprivate = true\n";

class Booted : public HostTest {
protected:
    Booted() : HostTest("booted") {}

    static void SetUpTestSuite() {
        machine = std::make_unique<Service>("booted", toml);
        machine->start();
    }
    static void TearDownTestSuite() { machine.reset(); }

    inline static std::unique_ptr<Service> machine;
};

} // namespace

TEST_F(Booted, ComesUpToRunning) {
    EXPECT_EQ(machine->exec({"systemctl", "is-system-running", "--wait"}), "running");
    EXPECT_EQ(machine->exec({"systemctl", "--failed", "--no-legend", "--plain"}), "");
    EXPECT_EQ(machine->exec({"cat", "/proc/1/comm"}), "systemd");
}

TEST_F(Booted, SystemdInsideSeesAContainer) {
    EXPECT_EQ(machine->exec({"systemd-detect-virt", "--container"}), "container-other");
    EXPECT_EQ(machine->exec({"cat", "/run/host/container-manager"}), "berth");
    EXPECT_EQ(machine->exec({"cat", "/run/systemd/container"}), "berth");
}

TEST_F(Booted, EnvironmentOfPidOneIsTheContainerInterfaces) {
    const std::string environment = machine->exec({"sh", "-c", "tr '\\0' '\\n' < /proc/1/environ"}) + "\n";
    EXPECT_THAT(environment, HasSubstr("container=berth\n"));
    EXPECT_THAT(environment, HasSubstr("container_host_id=debian\n"));
    EXPECT_THAT(environment, HasSubstr("container_host_version_id=13\n"));
    EXPECT_THAT(environment, HasSubstr("NOTIFY_SOCKET=/run/host/notify\n"));
    const std::string uuid = machine->exec({"cat", "/run/host/container-uuid"});
    EXPECT_THAT(uuid, MatchesRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"));
    EXPECT_THAT(environment, HasSubstr("container_uuid=" + uuid + "\n"));
}

TEST_F(Booted, OneMachineIdEverywhere) {
    std::string uuid = machine->exec({"cat", "/run/host/container-uuid"});
    std::erase(uuid, '-');
    EXPECT_EQ(machine->exec({"cat", "/etc/machine-id"}), uuid);
    EXPECT_EQ(machine->property("Id"), uuid);
    EXPECT_NE(text_of("/etc/machine-id"), uuid + "\n");
}

TEST_F(Booted, HasItsOwnHostName) {
    EXPECT_EQ(machine->exec({"uname", "-n"}), "booted");
}

TEST_F(Booted, HasItsOwnBootId) {
    const std::string file = "/proc/sys/kernel/random/boot_id";
    EXPECT_NE(machine->exec({"cat", file}), succeed({"cat", file}));
}

TEST_F(Booted, ConsoleIsAPtyThatPidOneHas) {
    EXPECT_THAT(machine->exec({"stat", "-c", "%F", "/dev/console"}), HasSubstr("character special file"));
    EXPECT_THAT(machine->exec({"systemctl", "is-active", "console-getty.service"}), "active");
}

TEST_F(Booted, HostsTreeIsOutOfSight) {
    EXPECT_NE(machine->try_exec({"ls", "/src"}).status, 0);
    EXPECT_NE(machine->try_exec({"ls", "/var/lib/machines/debian"}).status, 0);
    EXPECT_THAT(machine->exec({"cat", "/proc/self/mountinfo"}),
                testing::Not(HasSubstr("/var/lib/machines ")));
}

TEST_F(Booted, ManagesItsOwnCgroups) {
    EXPECT_EQ(machine->exec({"systemd-run", "--wait", "--pipe", "-q", "grep", "^0::", "/proc/self/cgroup"})
                  .substr(0, 15),
              "0::/system.slic");
}

TEST_F(Booted, HostSeesItAsSystemdDoes) {
    EXPECT_THAT(succeed({"systemctl", "--machine=booted", "is-system-running"}), "running");
}

class Boot : public HostTest {};

TEST_F(Boot, LeavesTheLowerByteForByte) {
    const Snapshot before = snapshot(debian_tree);
    ASSERT_GT(before.size(), 1000U);
    {
        Service machine("tidy", toml);
        machine.start();
        EXPECT_EQ(machine.exec({"systemctl", "is-system-running", "--wait"}), "running");
        // All ways to change a tree: new, written, moved, mode, owner, attribute, time, removed.
        machine.exec(
            {"sh", "-ec",
             "echo new > /etc/new; echo more >> /etc/passwd; mv /usr/share/doc /usr/share/moved;"
             "chmod 600 /etc/os-release; chown 1:1 /etc/group; touch /usr/bin/env;"
             "rm -f /etc/hostname; mkdir -p /usr/local/deep/er; ln -f /etc/fstab /etc/linked || true"});
        machine.stop();
    }
    EXPECT_THAT(differences(before, snapshot(debian_tree)), IsEmpty());
}

TEST_F(Boot, RunFromTheTreeItselfWritesToIt) {
    const SmallTree tree;
    Service machine("direct", "[root]\ndirectory = \"" + tree.path().native() + "\"\n");
    machine.start();
    machine.exec({"sh", "-c", "echo written > /etc/new"});
    machine.stop();
    EXPECT_EQ(text_of(tree / "etc/new"), "written\n");
    EXPECT_EQ(text_of(tree / "boots"), "boot\n");
}
