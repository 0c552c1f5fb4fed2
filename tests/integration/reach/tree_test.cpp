// SPDX-License-Identifier: LGPL-2.1-or-later
// What a tree, or whoever may write beside it, can do to the launcher; and what root inside can undo.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/format.hpp"
#include "base/own_proc.hpp"
#include "base/version_order.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"
#include "support/snapshot.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class ReachTree : public OptionTest {};

} // namespace

TEST_F(ReachTree, WhatCoversTheKernelsFilesStaysWhereRootIsTheHosts) {
    for (const char *users : {"--private-users=identity", "--private-users=yes", "--private-users=0"}) {
        const Words options{"-x", users, "--private-network"};
        const std::string before = text_of("/proc/sys/kernel/core_pattern");
        for (const char *attack :
             {"mount -o remount,bind,rw /proc/sys", "umount /proc/sys", "mount -t proc p /mnt",
              "mount -o remount,bind,rw /sys", "mount -t sysfs s /mnt", "umount /proc/kcore",
              "echo attacked >/proc/sys/kernel/core_pattern"})
            EXPECT_THAT(inside(options, std::string("mkdir -p /mnt; (") + attack
                                            + ") 2>/dev/null && echo done || true"),
                        "")
                << users << ": " << attack;
        EXPECT_EQ(text_of("/proc/sys/kernel/core_pattern"), before);
    }
    // Where nothing is locked they work: it is not for want of a program that they do not above.
    for (const char *attack : {"mount -o remount,bind,rw /proc/sys", "mount -t proc p /mnt",
                               "mount -o remount,bind,rw /sys", "mount -t sysfs s /mnt"})
        EXPECT_EQ(inside({"-x", "--private-users=no", "--private-network"},
                         std::string("mkdir -p /mnt; (") + attack + ") && echo done || true"),
                  "done")
            << attack;
}

TEST_F(ReachTree, CoversBelowProcAndSysStayWithUsersOfItsOwn) {
    dir.write("cover", "cover\n");
    const Words options{"-x", "-U", "--inaccessible=/proc/meminfo", "--bind-ro={dir}/cover:/proc/version",
                        "--inaccessible=/sys/kernel"};
    EXPECT_EQ(inside(options, "cat /proc/meminfo /proc/version; ls /sys/kernel 2>/dev/null | wc -l"),
              "cover\n0");
    for (const char *attack : {"umount /proc/meminfo", "umount /proc/version", "umount /sys/kernel",
                               "mount -o remount,bind,rw /proc/version", "mount -t proc p /mnt"})
        EXPECT_EQ(
            inside(options, std::string("mkdir -p /mnt; (") + attack + ") 2>/dev/null && echo done || true"),
            "")
            << attack;
    // Nothing is locked without users: there they work.
    Words unlocked = options;
    unlocked[1] = "--private-users=no";
    for (const char *attack : {"umount /proc/meminfo", "umount /proc/version", "umount /sys/kernel",
                               "mount -o remount,bind,rw /proc/version"})
        EXPECT_EQ(inside(unlocked, std::string("(") + attack + ") && echo done || true"), "done") << attack;
}

TEST_F(ReachTree, AnotherProcCanBeMountedWhereNothingIsToBeHidden) {
    EXPECT_EQ(inside({"-x", "-U"}, "mkdir -p /mnt/p && mount -t proc p /mnt/p && cat /mnt/p/1/comm; true"),
              "sh");
}

TEST_F(ReachTree, TheFirstProcessesHaveTheFirstNumbers) {
    for (const char *users : {"-U", "--private-users=identity", "--private-users=no"})
        EXPECT_EQ(inside({"-x", users, "--as-pid2"}, "echo $$; sh -c 'echo $$'; true"), "2\n3") << users;
}

TEST_F(ReachTree, CoversDoNotComeFromWhereRunLeads) {
    const fs::path shared = dir / "shared";
    for (const char *name : {"host/inaccessible", "systemd"})
        fs::create_directories(shared / name);
    dir.write("shared/host/inaccessible/reg", "of the attacker\n");
    dir.write("shared/boot_id", "of the attacker\n");
    tree.write("etc/secret", "secret\n");
    fs::remove_all(tree / "run");
    fs::create_symlink("/shared", tree / "run");
    fs::create_directory(tree / "shared");
    const Snapshot before = snapshot(shared);
    for (const char *users : {"-U", "--private-users=no", "--private-users=identity"}) {
        const Words options{"-x", users, "--bind={dir}/shared:/shared", "--inaccessible=/etc/secret"};
        const Outcome outcome =
            try_inside(options, "cat /etc/secret /proc/kallsyms /proc/sys/kernel/random/boot_id");
        EXPECT_THAT(outcome.out, testing::MatchesRegex("[0-9a-f-]{36}\n")) << "the boot ID alone";
        EXPECT_NE(outcome.out, text_of("/proc/sys/kernel/random/boot_id"));
        EXPECT_THAT(outcome.out, Not(HasSubstr("attacker"))) << users;
        EXPECT_THAT(outcome.out, Not(HasSubstr("secret\n"))) << users;
        EXPECT_EQ(outcome.status, 0) << outcome.err;
    }
    EXPECT_THAT(differences(before, snapshot(shared)), IsEmpty());
}

TEST_F(ReachTree, AUserNamedLikeAnotherOnesNumberIsThatNumber) {
    tree.write("etc/passwd",
               "root::0:0:root:/root:/bin/sh\n1000:x:0:0::/:/bin/sh\n4294967295:x:0:0::/:/bin/sh\n");
    EXPECT_EQ(inside({"-x", "--user=1000"}, "id -u"), "1000");
    const Outcome none = run(words({"-x", "--user=4294967295"}, {"id", "-u"}));
    EXPECT_EQ(none.status, 1);
    EXPECT_THAT(none.err, HasSubstr("\"4294967295\" is no user ID"));
    const Machine machine("options-named", {"-D", tree.path(), "-x"});
    EXPECT_EQ(berth_succeeds({"exec", "--uid=1000", "options-named", "id", "-u"}), "1000");
    EXPECT_NE(try_berth({"exec", "--uid=4294967295", "options-named", "id", "-u"}).status, 0);
}

TEST_F(ReachTree, UnbindingTakesNothingAwayButWhatWasBound) {
    fs::create_directories(tree / "kept");
    const Machine machine("options-bound",
                          {"-D", tree.path(), "-x", "--bind=" + dir.path().native() + ":/kept"});
    berth_succeeds({"bind", "options-bound", dir.path(), "/bound", "--mkdir"});
    machine.exec({"sh", "-c", "ln -s /kept /link; mkdir /own; mount -t tmpfs t /own"});
    for (const char *place : {"/link", "/kept", "/own", "/", "/proc"}) {
        const Outcome outcome = try_berth({"unbind", "options-bound", place});
        EXPECT_EQ(outcome.status, 1) << place;
        EXPECT_THAT(outcome.err, AnyOf(HasSubstr(berth::format("is on {} inside the machine", place)),
                                       HasSubstr(berth::format("opening {} in the tree", place))));
    }
    EXPECT_THAT(machine.exec({"cat", "/proc/mounts"}), HasSubstr(" /own "));
    // What the machine puts on it, or makes of the way there, is not taken for it.
    machine.exec({"mount", "-t", "tmpfs", "t", "/bound"});
    EXPECT_EQ(try_berth({"unbind", "options-bound", "/bound"}).status, 1);
    machine.exec({"umount", "/bound"});
    berth_succeeds({"unbind", "options-bound", "/bound"});
    EXPECT_THAT(machine.exec({"cat", "/proc/mounts"}), HasSubstr(" /kept "));
    EXPECT_THAT(machine.exec({"cat", "/proc/mounts"}), Not(HasSubstr(" /bound ")));
}

TEST_F(ReachTree, TheTreeThatIsGivenAwayIsTheOneThatWasLookedAt) {
    const fs::path victim = dir / "victim";
    fs::create_directory(victim);
    dir.write("victim/file", "of the host\n");
    const fs::path place = dir / "place";
    fs::create_directory(place); // a folder that others could write to
    fs::copy(tree.path(), place / "tree", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    Process launcher({"env", "BERTH_STOP_AT=opened", "berth", "run", "--quiet", "-P", "--machine=options",
                      "-D", place / "tree", "--private-users=655360", "--private-users-ownership=chown",
                      "true"});
    ASSERT_TRUE(eventually([&] {
        return text_of(berth::format("/proc/{}/stat", launcher.pid())).contains(") T ");
    })) << "the build has no hooks";
    fs::rename(place / "tree", place / "former");
    fs::create_symlink(victim, place / "tree");
    launcher.send_signal(SIGCONT);
    EXPECT_EQ(launcher.wait(), 1);
    EXPECT_THAT(launcher.err(), HasSubstr("place/tree"));
    EXPECT_EQ(owner_of(victim), "0:0 755");
    EXPECT_EQ(owner_of(victim / "file"), "0:0 644");
}

TEST_F(ReachTree, LayersAndUppersAreThoseThatWereLookedAt) {
    const fs::path place = dir / "place";
    fs::create_directories(place / "upper");
    const fs::path victim = dir / "victim";
    fs::create_directories(victim / "upper/usr");
    fs::create_directories(victim / "work");
    for (const fs::path &copy : {place / "tree", victim}) // which would do as a tree, too
        fs::copy(tree.path(), copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    ASSERT_EQ(::chown(place.c_str(), 1000, 1000), 0); // whose owner can swap what is in it
    const Snapshot before = snapshot(victim);
    for (const char *users : {"-U", "--private-users=no"})
        for (const char *what : {"tree", "upper"}) {
            Process launcher({"env", "BERTH_STOP_AT=locked", "berth", "run", "--quiet", "-P",
                              "--machine=options", "-D", place / "tree",
                              "--upper=" + (place / "upper").native(), users, "touch", "/written"});
            ASSERT_TRUE(eventually([&] {
                return text_of(berth::format("/proc/{}/stat", launcher.pid())).contains(") T ");
            })) << "the build has no hooks";
            fs::rename(place / what, place / "former");
            fs::create_symlink(victim, place / what);
            launcher.send_signal(SIGCONT);
            EXPECT_EQ(launcher.wait(), 1) << what;
            EXPECT_THAT(launcher.err(), HasSubstr(place / what)) << what;
            EXPECT_THAT(differences(before, snapshot(victim)), IsEmpty());
            fs::remove(place / what);
            fs::rename(place / "former", place / what);
        }
    // Left alone, it works there, too, and people are told of the paths that they know.
    utsname kernel{};
    ASSERT_EQ(::uname(&kernel), 0);
    const bool told = berth::version_order(kernel.release, "6.13") >= 0;
    const Machine machine("options-there",
                          {"-D", place / "tree", "--upper=" + (place / "upper").native(), "-U"});
    EXPECT_THAT(berth_succeeds({"inspect", "options-there", "mounts"}),
                HasSubstr(told ? (place / "tree").native() : "/proc/self/fd/"));
}

TEST_F(ReachTree, TreesInFoldersOfOthersAreUsed) {
    const fs::path place = dir / "place";
    fs::create_directories(place / "upper");
    fs::copy(tree.path(), place / "tree", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    ASSERT_EQ(::chown(place.c_str(), 1000, 1000), 0);
    succeed({"berth", "run", "--quiet", "-P", "--machine=options", "-D", place / "tree",
             "--upper=" + (place / "upper").native(), "-U", "touch", "/written"});
    EXPECT_TRUE(fs::exists(place / "upper/upper/written"));
}

TEST_F(ReachTree, WhatTheMachinesRootMayNotReadNobodyIsTold) {
    dir.write("secret", "SECRET=of-the-host\nNAME=x\n");
    fs::permissions(dir / "secret", fs::perms::owner_read);
    fs::remove(tree / "etc/os-release");
    fs::remove(tree / "usr/lib/os-release");
    fs::create_symlink("/bound/secret", tree / "etc/os-release");
    const Words ask{
        "busctl", "call",        "org.berth1", "/org/berth1", "org.berth1.Manager", "GetMachineOSRelease",
        "s",      "options-told"};
    const Machine machine("options-told",
                          {"-D", tree.path(), "-x", "-U", "--bind-ro=" + dir.path().native() + ":/bound"});
    const Outcome outcome = run(ask);
    EXPECT_THAT(outcome.out + outcome.err, Not(HasSubstr("of-the-host")));
    EXPECT_NE(outcome.status, 0);
    fs::permissions(dir / "secret", fs::perms::owner_read | fs::perms::others_read);
    EXPECT_THAT(succeed(ask), HasSubstr("of-the-host")) << "what it may read is told";
}

TEST_F(ReachTree, RangesOfUsersDoNotBeginAnewAtTheirEnd) {
    for (const char *range : {"18446744069414584320:4295032832", "4294967295:1", "0:4294967296",
                              "4294901760:65537", "nan", "inf:1", "-1"}) {
        const Outcome outcome = run(words({"-x", std::string("--private-users=") + range}, {"true"}));
        EXPECT_EQ(outcome.status, 1) << range;
        EXPECT_THAT(outcome.err, HasSubstr("--private-users")) << range;
    }
}

TEST_F(ReachTree, FilesOfOurOwnProcessAreTheKernels) {
    const berth::unique_fd file(::open((dir / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        try {
            berth::own_proc::write("comm", "renamed");
            if (text_of("/proc/self/comm") != "renamed\n")
                ::_exit(1);
            if (::unshare(CLONE_NEWNS) < 0 || ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) < 0
                || ::mount((dir / "file").c_str(), "/proc/thread-self/comm", nullptr, MS_BIND, nullptr) < 0)
                ::_exit(2);
            berth::own_proc::write("comm", "again"); // to be refused
        } catch (const std::exception &error) {
            ::_exit(std::string_view(error.what()).contains("is mounted on") ? 0 : 3);
        }
        ::_exit(4);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(text_of(dir / "file"), "");
}

TEST_F(ReachTree, DeviceNodesOfATreeAreWorthNothingWithUsersOfItsOwn) {
    succeed({"mknod", "-m", "666", (tree / "zero").native(), "c", "1", "5"});
    fs::create_directories(dir / "layer");
    succeed({"mknod", "-m", "666", (dir / "layer/zero").native(), "c", "1", "5"});
    succeed({"mknod", "-m", "666", (tree / "usr/own").native(), "c", "1", "5"});
    const std::string read = "head -c1 /zero | wc -c";
    EXPECT_EQ(inside({"-x"}, read), "1") << "the host's root may use what it finds";
    struct Row {
        Words options;
        const char *node;
    };
    for (const char *users : {"-U", "--private-users=identity", "--private-users=0"})
        for (const Row &row : {Row{{"-x"}, "/zero"}, Row{{"--read-only"}, "/zero"},
                               Row{{"-x", "--overlay-ro={dir}/layer:+/usr:/usr"}, "/usr/zero"},
                               Row{{"--volatile=yes"}, "/usr/own"}}) {
            Words options = row.options;
            options.emplace_back(users);
            EXPECT_THAT(inside(options, std::string("head -c1 ") + row.node + " 2>&1 || true"),
                        HasSubstr("Permission denied"))
                << users << " " << row.options.back();
        }
}

TEST_F(ReachTree, WhatAMachineLeavesInItsUpperIsReachedByRootAlone) {
    const fs::path upper = dir / "upper";
    EXPECT_EQ(inside({"-U", "--upper={dir}/upper"}, "cp /bin/busybox /su; chmod 4755 /su; echo made"),
              "made");
    EXPECT_EQ(owner_of(upper), "0:0 700");
}

TEST_F(ReachTree, AnotherMachinesJournalIsNotForWhoClaimsItsId) {
    const std::string id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1";
    const fs::path journal = "/var/log/journal/" + id;
    const bool made = fs::create_directories("/var/log/journal");
    const HostFile secret(journal / "system.journal", "of another machine\n");
    tree.write("etc/machine-id", id + "\n");
    const std::string look = "cat " + journal.native() + "/system.journal 2>&1 || true";
    EXPECT_THAT(inside({"-x", "--private-users=identity"}, look), Not(HasSubstr("of another machine")));
    EXPECT_THAT(inside({"--private-users=identity", "--link-journal=auto"}, look),
                Not(HasSubstr("of another machine")));
    fs::remove_all(made ? fs::path("/var/log/journal") : journal);
}

TEST_F(ReachTree, LocksAndWorkFoldersAreRemovedWhereTheyWereMade) {
    const fs::path place = dir / "place";
    const fs::path victim = dir / "victim";
    fs::create_directories(place / "up");
    fs::create_directories(victim / ".#up.berth-work/important");
    dir.write("victim/.#tree.lck", "");
    fs::copy(tree.path(), place / "tree", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    {
        const Machine machine("options-swapped", {"-D", place / "tree",
                                                  "--overlay=" + (place / "tree/etc").native() + ":"
                                                      + (place / "up").native() + ":/mnt"});
        EXPECT_TRUE(fs::exists(place / ".#up.berth-work"));
        EXPECT_TRUE(fs::exists(place / ".#tree.lck"));
        fs::rename(place, dir / "moved");
        fs::create_directory_symlink(victim, place);
    }
    EXPECT_TRUE(fs::exists(victim / ".#up.berth-work/important"));
    EXPECT_TRUE(fs::exists(victim / ".#tree.lck"));
    EXPECT_FALSE(fs::exists(dir / "moved/.#up.berth-work"));
    EXPECT_FALSE(fs::exists(dir / "moved/.#tree.lck"));
    // One that somebody else has made is not used.
    fs::remove(place);
    fs::rename(dir / "moved", place);
    fs::create_directory(place / ".#up.berth-work");
    fs::permissions(place / ".#up.berth-work", fs::perms::all);
    const Outcome outcome = run(words({"-x", "--overlay=/etc:{dir}/place/up:/mnt"}, {"true"}));
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("and not ours"));
}

TEST_F(ReachTree, UppersAndWorkFoldersInFoldersOfOthersAreThoseThatAreThere) {
    const fs::path place = dir / "place";
    const fs::path victim = dir / "victim";
    fs::create_directories(place / "up");
    fs::create_directories(victim / "work");
    ASSERT_EQ(::chown(place.c_str(), 1000, 1000),
              0); // its own path is fixed, and yet all in it is its owner's
    const Snapshot before = snapshot(victim);
    for (const char *users : {"-U", "--private-users=no"})
        for (const char *what : {"up", ".#up.berth-work"}) {
            Process launcher({"env", "BERTH_STOP_AT=locked", "berth", "run", "--quiet", "-P",
                              "--machine=options", "-D", tree.path(), "-x", users,
                              "--overlay=/etc:" + (place / "up").native() + ":/mnt", "touch",
                              "/mnt/written"});
            ASSERT_TRUE(eventually([&] {
                return text_of(berth::format("/proc/{}/stat", launcher.pid())).contains(") T ");
            })) << "the build has no hooks";
            const bool there = fs::exists(place / what);
            if (there)
                fs::rename(place / what, place / "former");
            fs::create_symlink(victim, place / what);
            launcher.send_signal(SIGCONT);
            EXPECT_EQ(launcher.wait(), 1) << what;
            EXPECT_THAT(launcher.err(), HasSubstr(what)) << users;
            EXPECT_THAT(differences(before, snapshot(victim)), IsEmpty());
            fs::remove(place / what);
            if (there)
                fs::rename(place / "former", place / what);
        }
    // Left alone, it works there.
    succeed({"berth", "run", "--quiet", "-P", "--machine=options", "-D", tree.path(), "-x",
             "--overlay=/etc:" + (place / "up").native() + ":/mnt", "touch", "/mnt/written"});
    EXPECT_TRUE(fs::exists(place / "up/written"));
}

TEST_F(ReachTree, ATemplateIsCopiedWhereNobodyElseCanPutLinks) {
    fs::create_directory(dir / ".#made.berth");
    ASSERT_EQ(::chown((dir / ".#made.berth").c_str(), 1000, 1000), 0);
    dir.write(".#made.berth/file", "another's\n");
    const Words make{"berth",
                     "run",
                     "--quiet",
                     "-P",
                     "--machine=options",
                     "-D",
                     dir / "made",
                     "--template=" + tree.path().native(),
                     "true"};
    const Outcome outcome = run(make);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(".#made.berth"), HasSubstr("and not ours")));
    EXPECT_EQ(text_of(dir / ".#made.berth/file"), "another's\n");
    fs::remove_all(dir / ".#made.berth");
    succeed(make);
    EXPECT_FALSE(fs::exists(dir / ".#made.berth"));
    EXPECT_EQ(owner_of(dir / "made"), owner_of(tree.path()));
}

TEST_F(ReachTree, WhatAMachineSaysSteersNoTerminal) {
    tree.write(
        "etc/passwd",
        "root::0:0:root:/root:/bin/sh\n\33]0;title\7\33[31mred\xe2\x80\xae:x:1234:4000000000::/:/bin/sh\n");
    const Outcome outcome = run(words({"-x", "-U", "--user=1234"}, {"true"}));
    EXPECT_NE(outcome.status, 0);
    for (const char *bad : {"\33", "\7", "\xe2\x80\xae"})
        EXPECT_THAT(outcome.err, Not(HasSubstr(bad)));
    EXPECT_THAT(outcome.err, HasSubstr("red\\u202e"));
}

TEST_F(ReachTree, WhatOnlyRootOfTheHostMayReadOfTheKernelIsHiddenFromOneWhoIs) {
    const std::string look = "cat /proc/slabinfo /proc/vmallocinfo /proc/pagetypeinfo 2>/dev/null | wc -c";
    EXPECT_EQ(inside({"-x", "--private-users=identity"}, look), "0");
    EXPECT_NE(inside({"-x", "--private-users=no"}, look), "0") << "there is nothing to hide";
}
