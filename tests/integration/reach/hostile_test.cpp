// SPDX-License-Identifier: LGPL-2.1-or-later
// Trees that were made to harm: whatever they hold, the host stays untouched, and the machine
// either starts within its tree or is refused with words.
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <filesystem>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/snapshot.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
namespace fs = std::filesystem;

namespace {

/// The shapes that something in a tree can have instead of what is expected.
enum class Shape : std::uint8_t { absolute_link, dotted_link, dangling_link, loop, fifo, file, device };

constexpr std::array shapes{Shape::absolute_link, Shape::dotted_link, Shape::dangling_link, Shape::loop,
                            Shape::fifo,          Shape::file,        Shape::device};

class Hostile : public HostTest {
protected:
    Hostile() {
        victim.write("sub/secret", "of the host\n");
        victim.write("passwd", "root::0:0:victim:/victim:/bin/victim\n");
    }

    void put(const std::string &name, Shape shape) const {
        const fs::path path = tree.path() / name;
        fs::remove_all(path);
        fs::create_directories(path.parent_path());
        switch (shape) {
        case Shape::absolute_link: fs::create_symlink(victim.path(), path); break;
        case Shape::dotted_link:
            fs::create_symlink("../../../../../../../.." + victim.path().native(), path);
            break;
        case Shape::dangling_link: fs::create_symlink(victim / "new", path); break;
        case Shape::loop: fs::create_symlink(path.filename(), path); break;
        case Shape::fifo: ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); break;
        case Shape::file: tree.write(name, "in the way"); break;
        case Shape::device: ASSERT_EQ(::mknod(path.c_str(), S_IFCHR | 0600, 0x103), 0); break;
        }
    }

    /// Runs the tree in all ways; each starts, or is refused with words, in time, and what is
    /// outside the tree stays as it was.
    void expect_confined(const Words &options, const std::string &what) const {
        const Snapshot before = snapshot(victim.path());
        const Snapshot etc_before = snapshot("/etc");
        const Snapshot mnt_before = snapshot("/mnt"); // where binds would go, were they the host's
        for (const char *mode : {"--ephemeral", "--console=pipe"}) {
            Words all = options;
            all.emplace_back(mode);
            const Outcome outcome = run(run_words("hostile", all, {"/usr/bin/busybox", "true"}));
            if (outcome.status != 0) {
                EXPECT_EQ(outcome.status, 1) << what << ": " << outcome.err;
                EXPECT_THAT(outcome.err, StartsWith("berth run: ")) << what;
                EXPECT_GT(outcome.err.size(), 20U) << what;
            }
        }
        EXPECT_THAT(differences(before, snapshot(victim.path())), IsEmpty()) << what;
        EXPECT_THAT(differences(etc_before, snapshot("/etc")), IsEmpty()) << what;
        EXPECT_THAT(differences(mnt_before, snapshot("/mnt")), IsEmpty()) << what;
    }

    void try_all(const std::string &name) {
        for (const Shape shape : shapes) {
            put(name, shape);
            expect_confined({"-D", tree.path()}, name + ", shape " + std::to_string(static_cast<int>(shape)));
        }
    }

    Folder victim;
    SmallTree tree;
};

} // namespace

TEST_F(Hostile, Etc) {
    try_all("etc");
}
TEST_F(Hostile, Dev) {
    try_all("dev");
}
TEST_F(Hostile, Proc) {
    try_all("proc");
}
TEST_F(Hostile, Run) {
    try_all("run");
}
TEST_F(Hostile, Sys) {
    try_all("sys");
}
TEST_F(Hostile, Tmp) {
    try_all("tmp");
}
TEST_F(Hostile, Passwd) {
    try_all("etc/passwd");
}
TEST_F(Hostile, Group) {
    try_all("etc/group");
}
TEST_F(Hostile, MachineId) {
    try_all("etc/machine-id");
}

TEST_F(Hostile, OsReleaseWhenBooting) {
    for (const Shape shape : shapes) {
        put("etc/os-release", shape);
        put("usr/lib/os-release", shape);
        expect_confined({"-D", tree.path(), "--kill-signal=SIGKILL"}, "os-release");
        Process launcher(run_words("hostile", {"-D", tree.path(), "-x", "--boot"}, {"exit"}));
        (void)launcher.wait();
    }
}

TEST_F(Hostile, BindTargets) {
    const Folder source;
    source.write("file", "bound");
    for (const char *bind : {":/mnt/deep/target", "/file:/mnt/deep/target"})
        for (const char *name : {"mnt/deep/target", "mnt/deep", "mnt"})
            for (const Shape shape : shapes) {
                fs::remove_all(tree / "mnt");
                put(name, shape);
                expect_confined({"-D", tree.path(), "--bind=" + source.path().native() + bind},
                                std::string(name) + bind);
            }
}

TEST_F(Hostile, TmpfsTargets) {
    for (const Shape shape : shapes) {
        put("mnt", shape);
        expect_confined({"-D", tree.path(), "--tmpfs=/mnt/deep"}, "tmpfs");
        expect_confined({"-D", tree.path(), "--tmpfs=/mnt"}, "tmpfs");
    }
}

TEST_F(Hostile, LinksAreFollowedWithinTheTree) {
    // What the host would follow to its own /etc leads to the tree's.
    fs::create_symlink("/etc", tree / "mnt");
    const Folder source;
    source.write("file", "bound");
    EXPECT_EQ(succeed(run_words(
                  "hostile", {"-D", tree.path(), "--pipe", "--bind=" + source.path().native() + ":/mnt/here"},
                  {"cat", "/etc/here/file"})),
              "bound");
    EXPECT_TRUE(fs::exists(tree / "etc/here"));
    EXPECT_FALSE(fs::exists("/etc/here"));
}

TEST_F(Hostile, UsersAreLookedUpInside) {
    const Words home{"sh", "-c", "echo $HOME"};
    tree.write("etc/passwd", "root::0:0:root:/home-of-the-tree:/bin/sh\n");
    EXPECT_EQ(succeed(run_words("hostile", {"-D", tree.path(), "-x", "--pipe"}, home)), "/home-of-the-tree");
    for (const fs::path &target :
         {victim / "passwd", "../../../../.." / (victim / "passwd").relative_path()}) {
        fs::remove(tree / "etc/passwd");
        fs::create_symlink(target, tree / "etc/passwd");
        EXPECT_EQ(succeed(run_words("hostile", {"-D", tree.path(), "-x", "--pipe"}, home)), "/root")
            << target;
    }
}

TEST_F(Hostile, ExecLooksUsersUpInside) {
    fs::remove(tree / "etc/passwd");
    fs::create_symlink(victim / "passwd", tree / "etc/passwd");
    const Machine machine("hostile", {"-D", tree.path(), "-x"});
    EXPECT_THAT(machine.try_exec({"sh", "-c", "echo $HOME"}).out, testing::Not(HasSubstr("victim")));
}

TEST_F(Hostile, RunningMachineCannotFoolTheReadersOutside) {
    const Machine machine("hostile", {"-D", tree.path(), "-x"});
    machine.exec({"sh", "-c", "rm /etc/os-release /usr/lib/os-release; mkfifo /etc/os-release"});
    EXPECT_EQ(try_berth({"list"}).status, 0);
    EXPECT_EQ(try_berth({"status", "hostile"}).status, 0);
    machine.exec({"sh", "-c", "rm /etc/os-release; ln -s /proc/1/root/etc/shadow /etc/os-release"});
    EXPECT_EQ(try_berth({"list"}).status, 0);
    machine.exec({"sh", "-c",
                  "rm /etc/os-release; printf "
                  "'ID=\"\\033[31mred\\n\"\\nPRETTY_NAME=\"\\033]0;title\\007\"\\n' > /etc/os-release"});
    const std::string list = berth_succeeds({"list"}) + berth_succeeds({"status", "hostile"});
    EXPECT_EQ(list.find('\x1b'), std::string::npos) << list;
    machine.exec({"sh", "-c", "rm /etc/passwd; mkfifo /etc/passwd"});
    EXPECT_NE(machine.try_exec({"true"}).status, 124);
}

TEST_F(Hostile, CgroupNamesOfTheMachineAreHarmless) {
    const Machine machine("hostile", {"-D", tree.path(), "-x"});
    machine.exec({"sh", "-c", "mkdir \"$(printf '/sys/fs/cgroup/\\033[31mred')\""});
    EXPECT_EQ(berth_succeeds({"status", "hostile"}).find('\x1b'), std::string::npos);
}
