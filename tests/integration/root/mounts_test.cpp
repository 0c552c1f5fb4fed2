// SPDX-License-Identifier: LGPL-2.1-or-later
// --bind=, --tmpfs=, --inaccessible=, --overlay= and their like.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/unique_fd.hpp"
#include "peer/differences.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"
#include "support/snapshot.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

namespace {

/// {dir} holds: one/f, two/f, two/g, "a:b/f", upper/ (empty), and a node of every type.
class Mounts : public OptionRows {
protected:
    Mounts() {
        dir.write("one/f", "one\n");
        dir.write("one/only", "one\n");
        dir.write("two/f", "two\n");
        dir.write("a:b/f", "colon\n");
        fs::create_directory(dir / "upper");
        ::mkfifo((dir / "fifo").c_str(), 0644);
        ::mknod((dir / "device").c_str(), S_IFCHR | 0666, ::makedev(1, 3));
        ::mknod((dir / "block").c_str(), S_IFBLK | 0666, ::makedev(7, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = dir / "socket";
        std::memcpy(static_cast<char *>(address.sun_path), path.c_str(), path.size() + 1);
        const berth::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address);
    }
};

const std::vector<OptionRow> rows{
    {"BindKeepsItsPlace", {"-x", "--bind={dir}/one"}, "cat {dir}/one/f", "one", ""},
    {"BindOfAFile", {"-x", "--bind={dir}/one/f:/etc/new/file"}, "cat /etc/new/file", "one", ""},
    {"BindReadOnlyRefusesWrites",
     {"-x", "--bind-ro={dir}/one:/mnt"},
     "cat /mnt/f; echo x > /mnt/f",
     "one\nsh: can't create /mnt/f: Read-only file system",
     ""},
    {"BindReadOnlyStaysSoWithUsersOfItsOwn",
     {"-U", "--bind-ro={dir}/one:/mnt"},
     "mount -o remount,bind,rw /mnt; umount /mnt; echo x > /mnt/f",
     "mount: permission denied (are you root?)\numount: can't unmount /mnt: Invalid argument\nsh: can't "
     "create /mnt/f: Read-only file system",
     ""},
    {"OptionalSourceIsLeftOut",
     {"-x", "--bind=-/no/such:/mnt/x"},
     "ls /mnt/x",
     "ls: /mnt/x: No such file or directory",
     ""},
    {"MissingSource",
     {"-x", "--bind=/no/such:/mnt/x"},
     "true",
     "",
     "--bind=/no/such:/mnt/x: /no/such: No such file or directory"},
    {"SourceInside", {"-x", "--bind=+/etc:/mnt"}, "cat /mnt/hostname", "busybox", ""},
    {"OptionalSourceInside",
     {"-x", "--bind=-+/none:/mnt/x"},
     "ls /mnt/x",
     "ls: /mnt/x: No such file or directory",
     ""},
    {"MissingSourceInside",
     {"-x", "--bind=+/none:/mnt/x"},
     "true",
     "",
     "opening in the tree /none: No such file or directory"},
    {"EmptySource", {"-x", "--bind=:/mnt"}, "stat -c '%u %a' /mnt; touch /mnt/x; ls -A /mnt", "0 755\nx", ""},
    {"EmptySourceWithUsersOfItsOwn",
     {"-U", "--bind=:/mnt"},
     "stat -c '%u %a' /mnt; touch /mnt/x; ls -A /mnt",
     "0 755\nx",
     ""},
    {"EmptySourceReadOnly",
     {"-x", "--bind-ro=:/mnt"},
     "touch /mnt/x",
     "touch: /mnt/x: Read-only file system",
     ""},
    {"ColonInAPath", {"-x", "--bind={dir}/a\\:b:/mnt/c\\:d"}, "cat /mnt/c:d/f", "colon", ""},
    {"ColonInAPathThatStaysPut", {"-x", "--bind={dir}/a\\:b"}, "cat {dir}/a:b/f", "colon", ""},
    {"TooManyParts", {"-x", "--bind={dir}/a:b:/mnt:rbind"}, "true", "", "has more than three parts"},
    {"UnknownMountOption",
     {"-x", "--bind={dir}/one:/mnt:nonsense"},
     "true",
     "",
     "\"nonsense\" is not a mount option"},
    {"RelativeDestination", {"-x", "--bind={dir}/one:mnt"}, "true", "", "\"mnt\""},
    {"OverTheRoot", {"-x", "--bind={dir}/one:/"}, "true", "", "the root itself cannot be mounted over"},

    {"TmpfsDefaults",
     {"-x", "--tmpfs=/mnt"},
     "stat -c '%u %a' /mnt; stat -f -c %T /mnt; touch /mnt/x; ls /mnt",
     "0 755\ntmpfs\nx",
     ""},
    {"TmpfsOptions",
     {"-x", "--tmpfs=/mnt:mode=0700,uid=7,gid=8,size=64k,noexec,nosuid,ro"},
     "stat -c '%u:%g %a' /mnt; grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f6; touch /mnt/x",
     "7:8 700\nro,nosuid,nodev,noexec\ntouch: /mnt/x: Read-only file system",
     ""},
    {"TmpfsBelongsToTheMachinesRoot",
     {"-U", "--tmpfs=/mnt"},
     "stat -c '%u:%g' /mnt; touch /mnt/x; stat -c %u /mnt/x",
     "0:0\n0",
     ""},
    {"TmpfsWithOptionsIsForAll", {"-x", "--tmpfs=/mnt:size=64k"}, "stat -c %a /mnt", "1777", ""},
    {"TmpfsWordsOfTheMount",
     {"-x", "--tmpfs=/mnt:noatime,nodiratime,exec,nosymfollow"},
     "grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f6",
     "rw,nodev,noatime,nodiratime,nosymfollow",
     ""},
    {"TmpfsColon", {"-x", "--tmpfs=/a\\:b:mode=0700"}, "stat -c %a /a:b", "700", ""},
    {"TmpfsUnknownOption", {"-x", "--tmpfs=/mnt:nonsense=1"}, "true", "", "--tmpfs=/mnt:nonsense=1: "},

    {"Inaccessible",
     {"-x", "--bind={dir}:/mnt", "--inaccessible=/etc/passwd", "--inaccessible=/mnt/one",
      "--inaccessible=/mnt/fifo", "--inaccessible=/mnt/socket", "--inaccessible=/mnt/device"},
     "stat -c '%F %a' /etc/passwd /mnt/one /mnt/fifo /mnt/socket /mnt/device; cat /etc/passwd; ls -A "
     "/mnt/one; echo x > /etc/passwd",
     "regular empty file 0\ndirectory 0\nfifo 0\nsocket 0\ncharacter special file 0\nsh: can't create "
     "/etc/passwd: Read-only file system",
     ""},
    {"InaccessibleDeviceOfTheMachine",
     {"-U", "--inaccessible=/dev/null"},
     "echo x > /dev/null",
     "sh: can't create /dev/null: Permission denied",
     ""},
    {"InaccessibleCannotBeUncovered",
     {"-U", "--inaccessible=/etc/passwd"},
     "umount /etc/passwd; wc -c < /etc/passwd",
     "umount: can't unmount /etc/passwd: Invalid argument\n0",
     ""},
    {"InaccessibleMissing",
     {"-x", "--inaccessible=/no/such"},
     "true",
     "",
     "--inaccessible=/no/such: opening /no/such in the tree: No such file or directory"},

    {"OverlayShowsAllLayers",
     {"-x", "--overlay={dir}/one:{dir}/two:{dir}/upper:/mnt"},
     "cat /mnt/f /mnt/only; echo new > /mnt/f; cat /mnt/f",
     "two\none\nnew",
     ""},
    {"OverlayReadOnly",
     {"-x", "--overlay-ro={dir}/one:{dir}/two:/mnt"},
     "cat /mnt/f /mnt/only; echo new > /mnt/f",
     "two\none\nsh: can't create /mnt/f: Read-only file system",
     ""},
    {"OverlayOverItsOwnLowest",
     {"-x", "--overlay=+/etc:{dir}/upper:/etc"},
     "echo new > /etc/hostname; cat /etc/hostname",
     "new",
     ""},
    {"OverlayColon",
     {"-x", "--overlay-ro={dir}/a\\:b:{dir}/one:/mnt"},
     "cat /mnt/f /mnt/only",
     "one\none",
     ""},
    {"OverlayWithoutDestination",
     {"-x", "--overlay={dir}/one"},
     "true",
     "",
     "needs a layer and a destination"},
    {"OverlayUpperInside",
     {"-x", "--overlay=+/etc:+/usr:/mnt"},
     "true",
     "",
     "the layer that is written to must be on the host"},
    {"OverlayEmptyLower",
     {"-x", "--overlay=:{dir}/one:{dir}/upper:/mnt"},
     "true",
     "",
     "only the layer that is written to may be left empty"},

    {"ParentsAreMountedFirst",
     {"-x", "--bind={dir}/one:/mnt/x/y", "--tmpfs=/mnt/x", "--tmpfs=/mnt"},
     "find /mnt | sort",
     "/mnt\n/mnt/x\n/mnt/x/y\n/mnt/x/y/f\n/mnt/x/y/only",
     ""},
    {"LaterCoversEarlier", {"-x", "--tmpfs=/mnt", "--bind={dir}/one:/mnt"}, "ls /mnt", "f\nonly", ""},
    {"LaterCoversEarlierTheOtherWayRound",
     {"-x", "--bind={dir}/one:/mnt", "--tmpfs=/mnt"},
     "ls /mnt",
     "",
     ""},
    {"BelowProc", {"-x", "--bind-ro={dir}/one/f:/proc/version"}, "cat /proc/version", "one", ""},
};

TEST_P(Mounts, HoldInside) {
    check(GetParam());
}
TEST_P(Mounts, HoldForThePeer) {
    check_beside_peer(GetParam(), option_difference("Mounts", GetParam().name));
}
INSTANTIATE_TEST_SUITE_P(Options, Mounts, testing::ValuesIn(rows), name_of_row);

class MoreMounts : public OptionTest {};

} // namespace

TEST_F(MoreMounts, RecursionIsTheDefaultAndCanBeForbidden) {
    dir.write("top/file", "");
    {
        const Mounted below("tmpfs", dir / "top/below", "");
        std::string file = below.path() / "deep";
        succeed({"touch", file});
        EXPECT_EQ(inside({"-x", "--bind={dir}/top:/mnt"}, "ls /mnt/below"), "deep");
        EXPECT_EQ(inside({"-x", "--bind={dir}/top:/mnt:rbind"}, "ls /mnt/below"), "deep");
        EXPECT_EQ(inside({"-x", "--bind={dir}/top:/mnt:norbind"}, "ls /mnt/below"), "");
        EXPECT_THAT(try_inside({"-x", "--bind-ro={dir}/top:/mnt"}, "touch /mnt/below/x").out,
                    HasSubstr("Read-only file system"));
    }
}

TEST_F(MoreMounts, UsersOfABindAreMappedAsAsked) {
    dir.write("s/f", "");
    succeed({"chown", "1000:1001", dir / "s"});
    succeed({"chown", "1:2", dir / "s/f"});
    fs::create_directory(tree / "owned");
    succeed({"chown", "33:33", tree / "owned"});
    const std::string line =
        "stat -c %u:%g $D $D/f; touch $D/new 2>/dev/null && stat -c %u:%g $D/new || echo refused";
    struct Case {
        const char *option;
        const char *destination;
        const char *out;
        const char *on_disk;
    };
    for (const Case &one : {Case{"noidmap", "/mnt", "65534:65534\n65534:65534\nrefused", ""},
                            Case{"idmap", "/mnt", "1000:1001\n1:2\n0:0", "0:0 644"},
                            Case{"rootidmap", "/mnt", "0:0\n65534:65534\n0:0", "1000:1001 644"},
                            Case{"owneridmap", "/owned", "33:33\n65534:65534\nrefused", ""}}) {
        EXPECT_EQ(inside({"--private-users=131072",
                          std::string("--bind={dir}/s:") + one.destination + ":" + one.option,
                          std::string("--setenv=D=") + one.destination},
                         line),
                  one.out)
            << one.option;
        if (*one.on_disk != 0) {
            EXPECT_EQ(owner_of(dir / "s/new"), one.on_disk) << one.option;
        }
        fs::remove(dir / "s/new");
    }
    // the owner of the destination inside owns it: that user, not root, may write
    EXPECT_EQ(inside({"--private-users=131072", "--user=33", "--bind={dir}/s:/owned:owneridmap"},
                     "touch /owned/mine; stat -c %u /owned/mine"),
              "33");
}

TEST_F(MoreMounts, FoldersLeftToBerthAreKeptWhileTheMachineRunsAndGoWithIt) {
    const auto folders = [] {
        std::vector<std::string> found;
        for (const auto &entry : fs::directory_iterator("/var/tmp"))
            if (entry.path().filename().native().starts_with(".#berth-"))
                found.push_back(entry.path());
        return found;
    };
    inside({"-x", "--bind=:/mnt"}, "true"); // sweeps what others left
    ASSERT_THAT(folders(), IsEmpty());
    for (const char *users : {"--private-users=no", "--private-users=pick"}) {
        Machine machine("options-kept", {"-D", tree.path(), "-x", users, "--bind=:/mnt"});
        EXPECT_EQ(folders().size(), 1U) << users;
        machine.exec({"touch", "/mnt/mine"});
        EXPECT_EQ(inside({"-x", "--bind=:/mnt"}, "ls /mnt"), ""); // which would sweep
        EXPECT_EQ(machine.exec({"ls", "/mnt"}), "mine") << users;
        berth_succeeds({"terminate", "options-kept"});
        machine.launcher().wait();
        EXPECT_THAT(folders(), IsEmpty()) << users;

        Machine killed("options-killed", {"-D", tree.path(), "-x", users, "--bind=:/mnt"});
        killed.launcher().send_signal(SIGKILL);
        killed.launcher().wait();
        EXPECT_EQ(inside({"-x", "--bind=:/mnt"}, "ls /mnt"), "");
        EXPECT_TRUE(eventually([&] {
            inside({"-x", "--bind=:/mnt"}, "true"); // once the killed machine's last process is gone
            return folders().empty();
        })) << users;
    }
}

TEST_F(MoreMounts, OverlayUpperHoldsWhatIsWrittenAndLowersStay) {
    dir.write("one/f", "one\n");
    fs::create_directory(dir / "upper");
    const Snapshot before = snapshot(dir / "one");
    inside({"-x", "--overlay={dir}/one:{dir}/upper:/mnt"}, "echo new > /mnt/f; echo y > /mnt/y");
    EXPECT_THAT(differences(before, snapshot(dir / "one")), IsEmpty());
    EXPECT_EQ(text_of(dir / "upper/f"), "new\n");
    EXPECT_EQ(inside({"-x", "--overlay={dir}/one:{dir}/upper:/mnt"}, "cat /mnt/f /mnt/y"), "new\ny");
    EXPECT_FALSE(fs::exists(dir / ".#upper.berth-work")) << "it stays after the machine";
}

TEST_F(MoreMounts, OverlayUpperIsForOneMachineAtATime) {
    for (const char *folder : {"one", "upper"})
        fs::create_directory(dir / folder);
    const fs::path work = dir / ".#upper.berth-work";
    const std::string overlay = expanded("--overlay={dir}/one:{dir}/upper:/mnt");
    {
        Machine machine("options-writer", {"-D", tree.path(), "-x", overlay});
        const Outcome second = try_inside({"-x", overlay}, "true");
        EXPECT_EQ(second.status, 1);
        EXPECT_THAT(second.err,
                    AllOf(HasSubstr(overlay + ": " + (dir / "upper").native()), HasSubstr("in use")));
        EXPECT_TRUE(fs::exists(work)) << "the second has taken it away";
        machine.launcher().send_signal(SIGKILL);
        machine.launcher().wait();
    }
    EXPECT_TRUE(fs::exists(work));
    // What the kernel still unmounts has the folder for a moment.
    EXPECT_TRUE(eventually([&] { return try_inside({"-x", overlay}, "touch /mnt/x").status == 0; }));
    EXPECT_FALSE(fs::exists(work)) << "what a killed launcher left";
}

TEST_F(MoreMounts, OverlayUpperMayBeLeftToBerth) {
    dir.write("one/f", "one\n");
    const Mounted on_disk("tmpfs", "/var/tmp", "mode=1777"); // an overlay cannot be an upper
    const Snapshot before = snapshot(dir / "one");
    EXPECT_EQ(inside({"-x", "--overlay={dir}/one::/mnt"}, "echo new > /mnt/f; cat /mnt/f"), "new");
    EXPECT_EQ(inside({"-x", "--overlay={dir}/one::/mnt"}, "cat /mnt/f"), "one");
    EXPECT_EQ(inside({"-x", "--overlay=+/etc::/etc"}, "echo new > /etc/hostname; cat /etc/hostname"), "new");
    EXPECT_THAT(differences(before, snapshot(dir / "one")), IsEmpty());
}

/// On a disk: the root of a test host cannot map users.
class MappedMounts : public OptionTest {
protected:
    [[nodiscard]] std::string mapped(const std::string &users, const Words &options,
                                     const std::string &line) const {
        Words words{"berth", "run", "-q", "-P", "-M", "options", "-D", tree.path(), users};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"sh", "-c", line});
        return succeed(words);
    }
};

TEST_F(MappedMounts, IdsInOptionsAreTheMachines) {
    for (const char *users : {"-U", "--private-users=no", "--private-users=identity"})
        EXPECT_EQ(mapped(users, {"-x", "--tmpfs=/mnt:uid=1000,gid=1001"}, "stat -c %u:%g /mnt"), "1000:1001");
    EXPECT_THAT(run(words({"-x", "--private-users=65536:100", "--tmpfs=/mnt:uid=100"}, {"true"})).err,
                AllOf(HasSubstr("--tmpfs=/mnt:uid=100"), HasSubstr("below 100 alone")));
}

TEST_F(MappedMounts, FoldersOfOverlaysHaveTheMachinesOwners) {
    dir.write("low/f", "of the host\n");
    fs::create_directory(dir / "up");
    const std::string low = (dir / "low").native();
    const std::string up = (dir / "up").native();
    for (const char *users : {"-U", "--private-users=no"}) {
        EXPECT_EQ(mapped(users, {"-x", "--overlay-ro=" + low + ":+/etc:/etc"}, "stat -c %u:%g /etc/f"),
                  "0:0");
        EXPECT_EQ(mapped(users, {"-x", "--overlay=" + low + ":" + up + ":/mnt"},
                         "echo x >/mnt/new; stat -c %u:%g /mnt/new /mnt/f"),
                  "0:0\n0:0");
        EXPECT_THAT(owner_of(dir / "up/new"), testing::StartsWith("0:0 "));
        EXPECT_EQ(mapped(users, {"-x", "--overlay=+/etc::/etc"}, "echo x >/etc/new; stat -c %u:%g /etc/new"),
                  "0:0");
    }
}

TEST_F(MappedMounts, AMountThatCannotBeMappedStopsNobody) {
    for (const char *place : {"proc", "k", "data"})
        fs::create_directories(tree / place);
    const Mounted proc("proc", tree / "proc", "");
    const Mounted sys("sysfs", tree / "k", "");
    const Mounted data("tmpfs", tree / "data", "");
    tree.write("data/f", "x");
    EXPECT_EQ(mapped("-U", {}, "stat -c %u:%g /data/f; ls /k; test -d /proc/1 && echo proc"), "0:0\nproc");
}

TEST_F(MappedMounts, OneWithDataThatCannotBeMappedIsNotLeftOutInSilence) {
    fs::create_directory(tree / "data");
    const Mounted data("ramfs", tree / "data", "");
    const Outcome outcome =
        run({"berth", "run", "-q", "-P", "-M", "options", "-D", tree.path(), "-U", "true"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(tree / "data"), HasSubstr("cannot map users")));
}

TEST_F(MappedMounts, WhatCoversTheirDirectoriesLeavesKernelFilesystemsOut) {
    for (const char *users : {"-U", "--private-users=no"})
        for (const char *place : {"/dev", "/sys"})
            EXPECT_EQ(mapped(users, {"-x", std::string("--tmpfs=") + place}, "echo up"), "up")
                << users << place;
}

TEST_F(MappedMounts, NothingInTheTreesEtcStopsAStart) {
    for (const char *name : {"resolv.conf", "localtime"}) {
        tree.write(std::string("etc/") + name, "of somebody\n");
        ASSERT_EQ(::chown((tree / "etc" / name).c_str(), 70000, 70000), 0);
        for (const char *users : {"-U", "--private-users=no"})
            EXPECT_EQ(mapped(users, {"--resolv-conf=replace-host", "--timezone=copy"}, "echo up"), "up")
                << name;
        fs::remove(tree / "etc" / name);
        fs::create_directory(tree / "etc" / name);
        EXPECT_EQ(mapped("-U", {"--resolv-conf=copy-host", "--timezone=symlink"}, "echo up"), "up") << name;
        fs::remove(tree / "etc" / name);
    }
}

TEST_F(MappedMounts, OwnersAreMappedWithoutUsersOfItsOwn) {
    dir.write("theirs/f", "x");
    ASSERT_EQ(::chown((dir / "theirs").c_str(), 1234, 1234), 0);
    ASSERT_EQ(::chown((dir / "theirs/f").c_str(), 1234, 1234), 0);
    EXPECT_EQ(mapped("--private-users=no", {"-x", "--bind=" + (dir / "theirs").native() + ":/mnt:rootidmap"},
                     "stat -c %u:%g /mnt/f"),
              "0:0");
}
