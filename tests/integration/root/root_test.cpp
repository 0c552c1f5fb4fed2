// SPDX-License-Identifier: LGPL-2.1-or-later
// What becomes the root: --volatile=, --read-only, --pivot-root=, --template=; and the machine's ID.
#include "peer/differences.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"
#include "support/snapshot.hpp"

using namespace berth::test;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

namespace {

/// The tree has a small tree in /inner, too.
class Root : public OptionRows {
protected:
    Root() {
        fs::create_directories(tree / "inner/usr/bin");
        fs::create_directories(tree / "inner/bin");
        fs::copy_file(tree / "usr/bin/busybox", tree / "inner/usr/bin/busybox");
        for (const char *name : {"sh", "ls", "cat", "grep", "cut"})
            fs::create_symlink("../usr/bin/busybox", tree / (std::string("inner/bin/") + name));
        tree.write("inner/mark", "inner\n");
        tree.write("var/state", "state\n");
    }
};

const std::string id = "0123456789abcdef0123456789abcdef";
const std::string uuid = "01234567-89ab-cdef-0123-456789abcdef";
const std::string writes = "for f in / /etc /var /usr; do touch $f/x 2>/dev/null && echo $f; done; rm -f /x "
                           "/etc/x /var/x /usr/x 2>/dev/null; true";

const std::vector<OptionRow> rows{
    {"VolatileNo", {"--volatile=no"}, writes, "/\n/etc\n/var\n/usr", ""},
    {"VolatileYes",
     {"--volatile=yes"},
     writes + "; ls -d /inner; cat /etc/hostname; readlink /bin",
     "/\n/etc\n/var\nls: /inner: No such file or directory\ncat: can't open '/etc/hostname': No such file or "
     "directory\nusr/bin",
     ""},
    {"VolatileWithoutAValue", {"--volatile"}, "ls -d /inner", "ls: /inner: No such file or directory", ""},
    {"VolatileYesWithUsersOfItsOwn",
     {"--volatile=yes", "-U"},
     writes + "; stat -c %u / /bin /usr",
     "/\n/etc\n/var\n0\n0\n0",
     ""},
    {"VolatileState", {"--volatile=state"}, writes + "; ls -A /var; cat /etc/hostname", "/var\nbusybox", ""},
    {"VolatileOverlay",
     {"--volatile=overlay"},
     writes + "; cat /var/state",
     "/\n/etc\n/var\n/usr\nstate",
     ""},
    {"VolatileNonsense", {"--volatile=some"}, "true", "", "--volatile=some: "},
    {"ReadOnly", {"--read-only"}, writes + "; touch /tmp/x /run/x /dev/shm/x && echo tmpfs", "tmpfs", ""},
    {"ReadOnlyWithUsersOfItsOwn",
     {"--read-only", "-U"},
     writes + "; mount -o remount,rw /; echo $?",
     "mount: permission denied (are you root?)\n1",
     ""},
    {"ReadOnlyWithAWritableFolder", {"--read-only", "--tmpfs=/var"}, writes, "/var", ""},
    {"PivotRoot",
     {"-x", "--pivot-root=/inner"},
     "cat /mark; ls /etc",
     "inner\nls: /etc: No such file or directory",
     ""},
    {"PivotRootKeepingTheOld",
     {"-x", "--pivot-root=/inner:/old"},
     "cat /mark /old/var/state /old/inner/mark",
     "inner\nstate\ninner",
     ""},
    {"PivotRootOnDisk",
     {"--pivot-root=/inner:/old", "-U"},
     "cat /mark /old/var/state; echo new > /old/var/new",
     "inner\nstate",
     ""},
    {"PivotRootMissing", {"--pivot-root=/none"}, "true", "", "opening /none in the tree"},
    {"PivotRootOnItself",
     {"--pivot-root=/inner:/inner"},
     "true",
     "",
     "the new and the old root are the same"},
    {"PivotRootRelative", {"--pivot-root=inner"}, "true", "", "\"inner\""},

    {"MachineId",
     {"-x", "--uuid=" + id},
     "echo $container_uuid; cat /run/host/container-uuid",
     uuid + "\n" + uuid,
     ""},
    {"MachineIdWithDashes", {"-x", "--uuid=" + uuid}, "echo $container_uuid", uuid, ""},
    {"MachineIdZero", {"-x", "--uuid=00000000000000000000000000000000"}, "true", "", "not all zero"},
    {"MachineIdNonsense", {"-x", "--uuid=1234"}, "true", "", "\"1234\" is not a machine ID"},
};
TEST_P(Root, HoldInside) {
    check(GetParam());
}
TEST_P(Root, HoldForThePeer) {
    check_beside_peer(GetParam(), option_difference("Root", GetParam().name));
}
INSTANTIATE_TEST_SUITE_P(Options, Root, testing::ValuesIn(rows), name_of_row);

class MoreRoots : public OptionTest {};

} // namespace

TEST_F(MoreRoots, MachineIdIsTheTreesWhenItHasOne) {
    const auto told = [&] { return inside({}, "echo $container_uuid"); };
    const std::string none = told();
    EXPECT_EQ(none.size(), uuid.size());
    for (const char *nothing : {"", "uninitialized\n", "00000000000000000000000000000000\n", "nonsense\n"}) {
        tree.write("etc/machine-id", nothing);
        EXPECT_EQ(told().size(), uuid.size()) << nothing;
        EXPECT_NE(told(), told()) << "a random one for each start: " << nothing;
        EXPECT_EQ(text_of(tree / "etc/machine-id"), nothing) << "to be settled by the machine itself";
    }
    tree.write("etc/machine-id", id + "\n");
    EXPECT_EQ(told(), uuid);
    const std::string other = "--uuid=fedcba9876543210fedcba9876543210";
    EXPECT_EQ(inside({other}, "echo $container_uuid; cat /run/host/container-uuid"), uuid + "\n" + uuid)
        << "it goes by its own";
    EXPECT_EQ(inside({other, "--volatile=yes"}, "echo $container_uuid"),
              "fedcba98-7654-3210-fedc-ba9876543210")
        << "which it cannot see then";
    tree.write("etc/machine-id", "uninitialized\n");
    EXPECT_EQ(inside({other}, "echo $container_uuid"), "fedcba98-7654-3210-fedc-ba9876543210");
}

TEST_F(MoreRoots, BootIdIsNewForEachStart) {
    const std::string line = "cat /proc/sys/kernel/random/boot_id";
    const std::string first = inside({"-x"}, line);
    EXPECT_NE(first, succeed({"cat", "/proc/sys/kernel/random/boot_id"}));
    EXPECT_NE(first, inside({"-x"}, line));
}

TEST_F(MoreRoots, TemplateMakesTheTreeOnce) {
    tree.write("etc/mine", "template\n");
    succeed({"chown", "5:6", tree / "etc/mine"});
    succeed({"setfacl", "-m", "u:1:r", tree / "etc/mine"});
    const Words words{"berth", "run",        "-q",
                      "-P",    "-M",         "options",
                      "-D",    dir / "made", "--template=" + tree.path().native(),
                      "sh",    "-ec",        "cat /etc/mine; echo used > /etc/mine"};
    EXPECT_EQ(succeed(words), "template");
    EXPECT_EQ(owner_of(dir / "made/etc/mine"), owner_of(tree / "etc/mine"));
    EXPECT_THAT(succeed({"getfacl", "-p", "-n", dir / "made/etc/mine"}), HasSubstr("user:1:r--"));
    EXPECT_EQ(owner_of(dir / "made"), owner_of(tree.path()));
    EXPECT_EQ(succeed(words), "used");
    EXPECT_EQ(text_of(tree / "etc/mine"), "template\n");
    EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1)
        << "nothing beside it";
}

TEST_F(MoreRoots, TemplateThatIsMissingOrNotWanted) {
    for (const auto &[extra, error] :
         {std::pair<std::string, std::string>{"--template=/no/such", "/no/such: No such file or directory"},
          {"--ephemeral", "a template goes not with an ephemeral machine"}}) {
        Words words{"berth", "run", "-q", "-P", "-M", "options", "-D", dir / "made"};
        if (extra == "--ephemeral")
            words.push_back("--template=" + tree.path().native());
        words.insert(words.end(), {extra, "true"});
        const Outcome outcome = run(words);
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.err, HasSubstr(error));
        EXPECT_FALSE(fs::exists(dir / "made"));
    }
}

TEST_F(MoreRoots, WhatIsThrownAwayLeavesTheTreeAsItWas) {
    const Snapshot before = snapshot(tree.path());
    for (const char *option :
         {"--volatile=yes", "--volatile=state", "--volatile=overlay", "--read-only", "--ephemeral"})
        inside({option},
               "touch /etc/x /var/x /tmp/x 2>/dev/null || true; rm -f /etc/hostname 2>/dev/null || true");
    EXPECT_THAT(differences(before, snapshot(tree.path())), IsEmpty());
}
