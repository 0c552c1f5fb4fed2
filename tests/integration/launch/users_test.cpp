// SPDX-License-Identifier: LGPL-2.1-or-later
// --private-users= and where the files of such machines belong.
#include <csignal>
#include <fstream>
#include <memory>

#include "base/format.hpp"
#include "base/io.hpp"
#include "base/lock_file.hpp"
#include "base/parse.hpp"
#include "peer/differences.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"
#include "support/snapshot.hpp"

using namespace berth::test;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
namespace fs = std::filesystem;

namespace {

const std::string maps =
    "echo $(cat /proc/self/uid_map); echo $(cat /proc/self/gid_map); stat -c %u:%g /etc/passwd";

const std::vector<OptionRow> rows{
    {"No", {"--private-users=no"}, maps, "0 0 4294967295\n0 0 4294967295\n0:0", ""},
    {"Yes", {"--private-users=yes"}, maps, "0 0 65536\n0 0 65536\n0:0", ""},
    {"WithoutAValue", {"--private-users"}, maps, "0 0 65536\n0 0 65536\n0:0", ""},
    {"Identity", {"--private-users=identity"}, maps, "0 0 65536\n0 0 65536\n0:0", ""},
    {"Fixed", {"--private-users=131072"}, maps, "0 131072 65536\n0 131072 65536\n0:0", ""},
    {"FixedCount", {"--private-users=131072:1000"}, maps, "0 131072 1000\n0 131072 1000\n0:0", ""},
    {"OwnershipOff",
     {"--private-users=131072", "--private-users-ownership=off"},
     maps,
     "0 131072 65536\n0 131072 65536\n65534:65534",
     ""},
    {"OwnershipMap",
     {"--private-users=131072", "--private-users-ownership=map"},
     maps,
     "0 131072 65536\n0 131072 65536\n0:0",
     ""},
    {"OverlayRoot",
     {"-x", "--private-users=131072"},
     "stat -c %u / /etc/passwd; touch /etc/new; stat -c %u /etc/new",
     "0\n0\n0",
     ""},
    {"Managed",
     {"--private-users=managed"},
     "true",
     "",
     "--private-users=managed: ranges managed by systemd-nsresourced are not supported yet; pick takes a "
     "free one"},
    {"Nonsense",
     {"--private-users=some"},
     "true",
     "",
     "\"some\" is not yes, no, pick, identity, managed or UID[:COUNT]"},
    {"BeyondTheLastUser",
     {"--private-users=4294967000:65536"},
     "true",
     "",
     "the range must hold at least one user and end below"},
    {"OwnershipNonsense",
     {"-U", "--private-users-ownership=some"},
     "true",
     "",
     "--private-users-ownership=some: "},
    {"ChownOfLayers",
     {"-x", "-U", "--private-users-ownership=chown"},
     "true",
     "",
     "layers are never written to"},
    {"RootMayNotReachBeyond",
     {"-U"},
     "echo 1 > /proc/sys/vm/swappiness; mknod /x c 1 1; mount -t tmpfs t /mnt && echo own mounts",
     "sh: can't create /proc/sys/vm/swappiness: Read-only file system\nmknod: /x: Operation not "
     "permitted\nown mounts",
     ""},
};

class Users : public OptionRows {};
TEST_P(Users, HoldInside) {
    fs::create_directory(tree / "mnt");
    check(GetParam());
}
TEST_P(Users, HoldForThePeer) {
    fs::create_directory(tree / "mnt");
    check_beside_peer(GetParam(), option_difference("Users", GetParam().name));
}
INSTANTIATE_TEST_SUITE_P(Options, Users, testing::ValuesIn(rows), name_of_row);

class MoreUsers : public OptionTest {
protected:
    static constexpr const char *locks = "/run/systemd/nspawn-uid";

    /// The first ID of a process's users as the host has them.
    static std::uint32_t base_of(pid_t pid) {
        const std::string text = berth::read_file(berth::format("/proc/{}/uid_map", pid));
        std::uint32_t base = 0;
        EXPECT_EQ(std::sscanf(text.c_str(), "%*u %u", &base), 1) << text;
        return base;
    }
    [[nodiscard]] Words idle_options() const { return {"-D", tree.path(), "-x", "-U"}; }
};

} // namespace

TEST_F(MoreUsers, PickedRangeIsSeenFromTheHostAndLockedWhileItIsUsed) {
    fs::path lock;
    {
        const Machine machine("options-picked", idle_options());
        const pid_t leader = machine.leader();
        const std::uint32_t base = base_of(leader);
        EXPECT_EQ(base % 65536, 0U);
        EXPECT_GE(base, 0x80000U);
        EXPECT_LE(base, 0x6fff0000U);
        EXPECT_EQ(status_field(leader, "Uid"), berth::format("{0}\t{0}\t{0}\t{0}", base));
        EXPECT_EQ(status_field(leader, "Gid"), berth::format("{0}\t{0}\t{0}\t{0}", base));
        EXPECT_NE(fs::read_symlink(berth::format("/proc/{}/ns/user", leader)),
                  fs::read_symlink("/proc/self/ns/user"));
        EXPECT_THAT(owner_of(machine.cgroup()), StartsWith(berth::format("{}:", base)));
        lock = fs::path(locks) / std::to_string(base);
        EXPECT_TRUE(fs::exists(lock));
    }
    EXPECT_FALSE(fs::exists(lock));
}

TEST_F(MoreUsers, OneNameHasOneRangeAndTwoMachinesHaveTwo) {
    const auto count = [] { return std::distance(fs::directory_iterator(locks), fs::directory_iterator()); };
    inside({"-U", "-x"}, "true"); // makes the folder
    const auto before = count();
    std::uint32_t first = 0;
    {
        const Machine one("options-one", idle_options());
        const Machine two("options-two", idle_options());
        first = base_of(one.leader());
        EXPECT_NE(first, base_of(two.leader()));
        EXPECT_EQ(count(), before + 2);
    }
    EXPECT_EQ(count(), before);
    const Machine again("options-one", idle_options());
    EXPECT_EQ(base_of(again.leader()), first);
}

TEST_F(MoreUsers, LocksThatNobodyHoldsAreRemovedByTheNextStart) {
    inside({"-U", "-x"}, "true"); // makes the folder
    const fs::path stale = fs::path(locks) / "1310720000";
    const fs::path held = fs::path(locks) / "1310785536";
    std::ofstream(stale).close();
    const auto lock = berth::LockFile::try_take(held, berth::LockFile::Mode::exclusive);
    ASSERT_TRUE(lock);
    inside({"-U", "-x"}, "true");
    EXPECT_FALSE(fs::exists(stale));
    EXPECT_TRUE(fs::exists(held));
}

TEST_F(MoreUsers, RangeOfTheTreesOwnerIsTakenIfFree) {
    succeed({"chown", "-hR", "655360:655360", tree.path()});
    EXPECT_EQ(inside({"-U"}, maps), "0 655360 65536\n0 655360 65536\n0:0");
    EXPECT_EQ(inside({"--private-users=yes"}, maps), "0 655360 65536\n0 655360 65536\n0:0");
}

TEST_F(MoreUsers, RangeOfARunningNspawnIsNotTaken) {
    SmallTree other;
    for (const SmallTree *one : {&tree, &other})
        succeed({"chown", "-hR", "655360:655360", one->path()});
    Process peer({"systemd-nspawn", "--quiet", "--register=no", "--pipe", "-U", "--machine=options-peer",
                  "-D", other.path(), "sh", "-c", "cat /proc/self/uid_map; echo up; read x"});
    EXPECT_THAT(peer.wait_for("up"), HasSubstr(" 655360 "));
    const std::string map = inside({"-U", "-x"}, "cat /proc/self/uid_map");
    EXPECT_THAT(map, testing::Not(HasSubstr(" 655360 ")));
    peer.close_input();
    peer.wait();
    EXPECT_THAT(inside({"-U", "-x"}, "cat /proc/self/uid_map"), HasSubstr(" 655360 "));
}

TEST_F(MoreUsers, RangeWithUsersOrGroupsOfTheHostIsNotTaken) {
    const auto picked = [&] {
        return std::stoul(inside({"-U", "-x"}, "set -- $(cat /proc/self/uid_map); echo $2"));
    };
    const unsigned long usual = picked();
    for (const unsigned long offset : {0x0000UL, 0xFFFEUL, 0xFFFFUL}) {
        const unsigned long id = usual + offset;
        SCOPED_TRACE(berth::format("with {}", id));
        {
            const HostFile users("/etc/passwd",
                                 text_of("/etc/passwd")
                                     + berth::format("somebody:x:{}:65534::/:/bin/false\n", id));
            ASSERT_EQ(succeed({"id", "-un", std::to_string(id)}), "somebody");
            EXPECT_NE(picked(), usual) << "a user";
        }
        {
            const HostFile groups("/etc/group",
                                  text_of("/etc/group") + berth::format("somebodies:x:{}:\n", id));
            EXPECT_NE(picked(), usual) << "a group";
        }
        EXPECT_EQ(picked(), usual) << "nobody any more";
    }
}

TEST_F(MoreUsers, MappedTreeStaysAsItIsOnDisk) {
    const Words quiet{"--private-users=131072", "--private-users-ownership=map", "--resolv-conf=off",
                      "--timezone=off"};
    const Snapshot before = snapshot(tree.path());
    EXPECT_EQ(inside(quiet, "stat -c %u /etc/passwd"), "0");
    EXPECT_THAT(differences(before, snapshot(tree.path())), IsEmpty());
    Words layered = quiet;
    layered.emplace_back("-x");
    inside(layered, "touch /etc/passwd; rm /etc/hostname; chown 5:6 /etc/group");
    EXPECT_THAT(differences(before, snapshot(tree.path())), IsEmpty());
    inside(quiet, "touch /etc/new; touch /etc/other; chown 5:6 /etc/other");
    EXPECT_EQ(owner_of(tree / "etc/new"), "0:0 644");
    EXPECT_EQ(owner_of(tree / "etc/other"), "5:6 644");
}

TEST_F(MoreUsers, MappedTreeOfAnotherRangeKeepsThatRange) {
    succeed({"chown", "-hR", "655360:655360", tree.path()});
    inside({"--private-users=131072", "--private-users-ownership=map"},
           "touch /etc/other; chown 5:6 /etc/other");
    EXPECT_EQ(owner_of(tree / "etc/other"), "655365:655366 644");
}

TEST_F(MoreUsers, PersistentUpperHoldsTheTreesOwnUsers) {
    const PersistentUpper upper("options");
    inside({"-U", "--upper=persistent"}, "touch /etc/other; chown 5:6 /etc/other");
    EXPECT_EQ(owner_of(upper.path() / "etc/other"), "5:6 644");
    EXPECT_EQ(inside({"--private-users=131072", "--upper=persistent"}, "stat -c %u:%g /etc/other"), "5:6");
}

TEST_F(MoreUsers, FileCapabilitiesAreHonouredInAnyRoot) {
    const Mounted filesystem("tmpfs", dir / "fs", ""); // of /tmp nothing gains privileges
    succeed({"cp", "-a", tree.path().native() + "/.", filesystem.path()});
    succeed({"setcap", "cap_net_raw=ep", filesystem.path() / "usr/bin/busybox"});
    const std::string line = "grep CapEff /proc/self/status";
    for (const Words &options :
         {Words{}, Words{"-x"}, Words{"-U"}, Words{"-U", "-x"}, Words{"-x", "--private-users=131072"}}) {
        Words all = options;
        all.insert(all.end(), {"--user=1000", "--directory={dir}/fs"});
        EXPECT_EQ(inside(all, line), "CapEff:\t0000000000002000") << testing::PrintToString(options);
        all.emplace_back("--no-new-privileges");
        EXPECT_EQ(inside(all, line), "CapEff:\t0000000000000000") << testing::PrintToString(options);
    }
}

TEST_F(MoreUsers, CapabilitiesOfFilesMadeInsideAreWorthNothingOutside) {
    const Mounted filesystem("tmpfs", dir / "fs", ""); // of /tmp nothing gains privileges
    succeed({"cp", "-a", tree.path().native() + "/.", filesystem.path()});
    succeed({"chown", "-hR", "655360:655360", filesystem.path()});
    const fs::path file = filesystem.path() / "capable/grep";
    {
        const Machine machine("options-made", {"-D", filesystem.path(), "--private-users=655360"});
        machine.exec({"mkdir", "/capable"});
        machine.exec({"cp", "/usr/bin/busybox", "/capable/grep"});
        const std::string pid = std::to_string(machine.leader());
        succeed({"nsenter", "--target=" + pid, "--user", "--setuid=0", "--setgid=0", "setcap",
                 "cap_net_raw=ep", "/proc/" + pid + "/root/capable/grep"});
    }
    EXPECT_THAT(succeed({"getcap", "-n", file}), HasSubstr("[rootid=655360]"));
    const std::string line = "/capable/grep CapEff /proc/self/status";
    EXPECT_EQ(inside({"-D{dir}/fs", "--private-users=655360", "--user=1000"}, line),
              "CapEff:\t0000000000002000");
    EXPECT_EQ(inside({"-D{dir}/fs", "--user=1000"}, line), "CapEff:\t0000000000000000");
    EXPECT_EQ(succeed({"setpriv", "--reuid=1000", "--clear-groups", file, "CapEff", "/proc/self/status"}),
              "CapEff:\t0000000000000000");
}
