// SPDX-License-Identifier: LGPL-2.1-or-later
// What a machine's root is made of, and what becomes of what it writes.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <filesystem>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/snapshot.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

namespace {

class Overlay : public HostTest {
protected:
    /// Runs a shell's line in a machine of the small tree; returns what it printed.
    std::string in_machine(Words options, const std::string &line) const {
        options.insert(options.begin(), {"run", "--quiet", "--machine=overlaid", "--pipe"});
        options.insert(options.end(), {"sh", "-ec", line});
        return berth_succeeds(options);
    }
    [[nodiscard]] std::string on_tree() const { return "--directory=" + tree.path().native(); }

    SmallTree tree;
};

/// A layer above the small tree.
struct Layer : Folder {
    [[nodiscard]] std::string option() const { return "--layer=" + path().native(); }
};

/// Waits for another boot of the test init: the leader is another process then.
void wait_for_reboot(const RunningMachine &machine, pid_t leader) {
    ASSERT_TRUE(eventually([&] {
        const Outcome shown = try_berth({"show", machine.name(), "-P", "Leader"});
        return shown.status == 0 && shown.out != std::to_string(leader) + "\n";
    }));
}

} // namespace

TEST_F(Overlay, EphemeralUpperIsGoneAfterTheMachine) {
    const Snapshot before = snapshot(tree.path());
    EXPECT_EQ(in_machine({on_tree(), "--ephemeral"}, "echo x > /etc/new; cat /etc/new"), "x");
    EXPECT_EQ(in_machine({on_tree(), "--volatile=overlay"}, "test ! -e /etc/new && echo none"), "none");
    EXPECT_EQ(in_machine({on_tree(), "--upper=ephemeral"}, "test ! -e /etc/new && echo none"), "none");
    EXPECT_THAT(differences(before, snapshot(tree.path())), IsEmpty());
}

TEST_F(Overlay, PersistentUpperIsThereNextTime) {
    const PersistentUpper upper("overlaid");
    const Snapshot before = snapshot(tree.path());
    in_machine({on_tree(), "--upper=persistent"}, "echo kept > /etc/new; rm /etc/hostname");
    EXPECT_EQ(in_machine({on_tree(), "--upper=persistent"}, "cat /etc/new; ls /etc/hostname 2>&1 || true"),
              "kept\nls: /etc/hostname: No such file or directory");
    EXPECT_EQ(text_of(upper.path() / "etc/new"), "kept\n");
    EXPECT_THAT(differences(before, snapshot(tree.path())), IsEmpty());
}

TEST_F(Overlay, PersistentUpperBelongsToOneName) {
    const PersistentUpper upper("overlaid");
    const PersistentUpper other_upper("other");
    in_machine({on_tree(), "--upper=persistent"}, "echo kept > /etc/new");
    EXPECT_EQ(berth_succeeds({"run", "-q", "--machine=other", "--pipe", on_tree(), "--upper=persistent", "sh",
                              "-c", "test -e /etc/new || echo none"}),
              "none");
}

TEST_F(Overlay, UpperMayBeAnyFolder) {
    const Folder folder;
    in_machine({on_tree(), "--upper=" + (folder / "mine").native()}, "echo kept > /etc/new");
    EXPECT_EQ(text_of(folder / "mine/upper/etc/new"), "kept\n");
    EXPECT_EQ(in_machine({on_tree(), "--upper=" + (folder / "mine").native()}, "cat /etc/new"), "kept");
    EXPECT_FALSE(fs::exists(tree / "etc/new"));
}

TEST_F(Overlay, RootLooksLikeTheLowersOwn) {
    ASSERT_EQ(::chmod(tree.path().c_str(), 0711), 0);
    EXPECT_EQ(in_machine({on_tree(), "--ephemeral"}, "stat -c '%a %u' /"), "711 0");
}

TEST_F(Overlay, PersistentUpperSurvivesRebootFromInsideAndStopAndStart) {
    Service machine("rebooter", "[root]\ndirectory = \"/var/lib/machines/debian\"\nupper = \"persistent\"\n");
    machine.start();
    machine.exec({"sh", "-c", "echo kept > /etc/kept"});
    const pid_t leader = machine.leader();
    (void)machine.try_exec({"systemctl", "reboot"}); // it is cut off by what it asks for
    wait_for_reboot(machine, leader);
    ASSERT_TRUE(eventually(
        [&] { return machine.try_exec({"systemctl", "is-system-running", "--wait"}).status == 0; }));
    EXPECT_EQ(machine.exec({"cat", "/etc/kept"}), "kept");
    EXPECT_EQ(machine.unit_property("NRestarts"), "0") << "the launcher itself boots the machine anew";
    EXPECT_EQ(machine.unit_property("ActiveState"), "active");

    machine.stop();
    machine.start();
    EXPECT_EQ(machine.exec({"cat", "/etc/kept"}), "kept");
}

TEST_F(Overlay, EphemeralUpperSurvivesRebootButNotStop) {
    Service machine("forgetful",
                    "[root]\ndirectory = \"" + tree.path().native() + "\"\nupper = \"ephemeral\"\n");
    machine.start();
    const pid_t leader = machine.leader();
    berth_succeeds({"reboot", "forgetful"});
    wait_for_reboot(machine, leader);
    ASSERT_TRUE(eventually([&] { return machine.try_exec({"cat", "/boots"}).out == "boot\nboot\n"; }));
    machine.stop();
    machine.start();
    EXPECT_EQ(machine.exec({"cat", "/boots"}), "boot");
    EXPECT_FALSE(fs::exists(tree / "boots"));
}

TEST_F(Overlay, LayersShowTogetherAndTheUpperOneWins) {
    const Layer upper;
    upper.write("etc/only-above", "above\n");
    upper.write("etc/hostname", "above\n");
    const Snapshot tree_before = snapshot(tree.path());
    const Snapshot layer_before = snapshot(upper.path());
    EXPECT_EQ(in_machine({"--layer=" + tree.path().native(), upper.option(), "--upper=ephemeral"},
                         "cat /etc/only-above /etc/hostname; cat /etc/passwd; echo x > /etc/hostname"),
              "above\nabove\nroot::0:0:root:/root:/bin/sh");
    EXPECT_THAT(differences(tree_before, snapshot(tree.path())), IsEmpty());
    EXPECT_THAT(differences(layer_before, snapshot(upper.path())), IsEmpty());
}

TEST_F(Overlay, DirectoryIsTheLowestOfTheLayers) {
    const Layer upper;
    upper.write("etc/hostname", "above\n");
    EXPECT_EQ(in_machine({upper.option(), on_tree(), "--ephemeral"}, "cat /etc/hostname"), "above");
}

TEST_F(Overlay, LayersAreNeverWrittenTo) {
    const PersistentUpper kept("overlaid");
    const Layer upper;
    const Snapshot before = snapshot(upper.path());
    in_machine({on_tree(), upper.option()}, "echo kept > /etc/new");
    EXPECT_THAT(differences(before, snapshot(upper.path())), IsEmpty());
    EXPECT_FALSE(fs::exists(tree / "etc/new"));
    EXPECT_EQ(in_machine({on_tree(), upper.option()}, "cat /etc/new"), "kept");
}

TEST_F(Overlay, WhiteoutsOfALayerHideWhatIsBelow) {
    const Layer upper;
    fs::create_directories(upper / "etc");
    ASSERT_EQ(::mknod((upper / "etc/hostname").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
    fs::create_directories(upper / "var");
    ASSERT_EQ(::setxattr((upper / "var").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
    EXPECT_EQ(in_machine({on_tree(), upper.option(), "--ephemeral"},
                         "ls /etc | grep -c hostname || true; ls -A /var | wc -l"),
              "0\n0");
}

TEST_F(Overlay, OsReleaseMayComeFromAnyLayer) {
    const Layer upper;
    fs::create_directories(upper / "usr/lib");
    fs::remove(tree / "etc/os-release");
    fs::rename(tree / "usr/lib/os-release", upper / "usr/lib/os-release");
    const Machine machine("layered", {on_tree(), upper.option(), "--ephemeral", "--boot"}, {});
    EXPECT_EQ(machine.exec({"cat", "/usr/lib/os-release"}).substr(0, 10), "ID=busybox");
}

TEST_F(Overlay, ReadOnlyRootRefusesWrites) {
    const Layer upper;
    const std::string line = "{ echo x > /etc/new; } 2>&1 || true; echo y > /run/new && cat /run/new";
    for (const Words &options :
         {Words{on_tree()}, Words{on_tree(), "--ephemeral"}, Words{on_tree(), upper.option()}}) {
        Words all = options;
        all.emplace_back("--read-only");
        EXPECT_THAT(in_machine(all, line), AllOf(HasSubstr("Read-only file system"), HasSubstr("y")));
    }
    EXPECT_FALSE(fs::exists(tree / "etc/new"));
}

TEST_F(Overlay, BindsShowHostFoldersAndFiles) {
    const Folder folder;
    folder.write("file", "host\n");
    const std::string source = folder.path().native();
    EXPECT_EQ(in_machine({on_tree(), "--ephemeral", "--bind=" + source + ":/mnt/new",
                          "--bind=" + source + "/file:/etc/one"},
                         "cat /mnt/new/file /etc/one; echo inside > /mnt/new/written; echo more >> /etc/one"),
              "host\nhost");
    EXPECT_EQ(text_of(folder / "written"), "inside\n");
    EXPECT_EQ(text_of(folder / "file"), "host\nmore\n");
}

TEST_F(Overlay, ReadOnlyBindsRefuseWrites) {
    const Folder folder;
    folder.write("file", "host\n");
    const Snapshot before = snapshot(folder.path());
    EXPECT_THAT(
        in_machine({on_tree(), "--ephemeral", "--bind-ro=" + folder.path().native() + ":/mnt"},
                   "cat /mnt/file; { echo x > /mnt/file; } 2>&1 || true; touch /mnt/new 2>&1 || true"),
        AllOf(HasSubstr("host"), HasSubstr("/mnt/file: Read-only file system"),
              HasSubstr("/mnt/new: Read-only file system")));
    EXPECT_THAT(differences(before, snapshot(folder.path())), IsEmpty());
}

TEST_F(Overlay, BindsOfThingsThatAreNotThereAreErrorsUnlessOptional) {
    const Outcome refused = try_berth({"run", "-q", "-M", "overlaid", on_tree(), "--bind=/no/such", "true"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, AllOf(HasSubstr("--bind=/no/such"), HasSubstr("No such file or directory")));
    EXPECT_EQ(in_machine({on_tree(), "--ephemeral", "--bind=-/no/such"}, "echo fine"), "fine");
}

TEST_F(Overlay, TmpfsIsEmptyAndHasItsOptions) {
    EXPECT_EQ(in_machine({on_tree(), "--ephemeral", "--tmpfs=/etc:mode=0750,size=64k"},
                         "ls -A /etc | wc -l; stat -c %a /etc; stat -f -c %T /etc;"
                         "dd if=/dev/zero of=/etc/big bs=1k count=128 2>/dev/null || echo full"),
              "0\n750\ntmpfs\nfull");
}

TEST_F(Overlay, TreeBeingWrittenToIsNotTakenTwice) {
    const Machine machine("first-one", {on_tree()});
    const Outcome second = try_berth({"run", "-q", "-M", "second-one", on_tree(), "true"});
    EXPECT_EQ(second.status, 1);
    EXPECT_THAT(second.err, AllOf(HasSubstr(tree.path().native()), HasSubstr("in use")));
    const Outcome overlaid = try_berth({"run", "-q", "-M", "second-one", on_tree(), "-x", "true"});
    EXPECT_EQ(overlaid.status, 1) << "a lower that changes gives undefined results";
    EXPECT_EQ(machine.exec({"echo", "undisturbed"}), "undisturbed");
}

TEST_F(Overlay, TreeThatIsOnlyReadServesMany) {
    const Machine one("first-one", {on_tree(), "-x"});
    const Machine two("second-one", {on_tree(), "-x"});
    const Machine three("third-one", {on_tree(), "--read-only"});
    one.exec({"touch", "/etc/mine"});
    EXPECT_NE(two.try_exec({"ls", "/etc/mine"}).status, 0);
}

TEST_F(Overlay, HostsOwnRootRunsEphemeral) {
    EXPECT_EQ(berth_succeeds({"run", "-q", "-M", "overlaid", "-D", "/", "-x", "--pipe", "sh", "-c",
                              "echo x > /etc/berth-was-here; cat /etc/berth-was-here"}),
              "x");
    EXPECT_FALSE(fs::exists("/etc/berth-was-here"));
}
