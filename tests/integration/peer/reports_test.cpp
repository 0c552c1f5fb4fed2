// SPDX-License-Identifier: LGPL-2.1-or-later
// What others have reported of container managers, where berth does right; see ../reports.md.
#include <string>
#include <vector>

#include "base/format.hpp"
#include "support/network_space.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

class Reports : public OptionTest {
protected:
    /// How a path is given where colons part the words of an option.
    [[nodiscard]] static std::string escaped(const std::string &name) {
        std::string text;
        for (const char c : name) {
            if (c == ':' || c == '\\')
                text += '\\';
            text += c;
        }
        return text;
    }

    /// Runs a command as a shell on the host redirects it.
    [[nodiscard]] static Outcome redirected(const std::string &line, const Words &command) {
        Words all{"bash", "-c", "set -o pipefail; " + line, "bash"};
        all.insert(all.end(), command.begin(), command.end());
        return run(all);
    }
};

} // namespace

TEST_F(Reports, PathsOfMountsMayHoldAnyCharacter) {
    dir.write("low/l", "low\n");
    for (const std::string name : {"a:b", "a,b", "a\\b", "a\"b", "a'b", "a b", "a\nb", "a\tb", "a\xff", "a=b",
                                   "a%s", "-a", "+a", "a\\:b", "a\\,b", "a\\", " a "}) {
        dir.write(name + "/f", "in\n");
        const std::string path = escaped(name);
        EXPECT_EQ(inside({"-x", "--bind={dir}/" + path + ":/mnt/" + path}, "cat /mnt/*/f"), "in") << name;
        EXPECT_EQ(
            inside({"-x", "--overlay-ro={dir}/" + path + ":{dir}/low:/mnt/" + path}, "cat /mnt/*/f /mnt/*/l"),
            "in\nlow")
            << name;
        EXPECT_EQ(inside({"-x", "--tmpfs=/mnt/" + path + ":mode=0700"}, "stat -c %a /mnt/*"), "700") << name;
    }
}

TEST_F(Reports, PathsOfUppersMayHoldAnyCharacter) {
    dir.write("low/l", "low\n");
    for (const std::string name : {"a:b", "a,b", "a\"b", "a'b", "a b", "a\nb", "a\xff", "a\\b", "a\\"}) {
        fs::create_directories(dir / "uppers" / name);
        EXPECT_EQ(inside({"-x", "--overlay={dir}/low:{dir}/uppers/" + escaped(name) + ":/mnt"},
                         "echo x > /mnt/n; cat /mnt/l"),
                  "low")
            << name;
        EXPECT_EQ(text_of(dir / "uppers" / name / "n"), "x\n") << name;
    }
}

TEST_F(Reports, PathsOfTreesMayHoldWhatOverlaysParse) {
    for (const char *name : {"t:r", "t,r", "t\\r"}) {
        succeed({"cp", "-a", tree.path(), dir / name});
        for (const char *how : {"--volatile=overlay", "--ephemeral"})
            EXPECT_EQ(succeed({"berth", "run", "-q", "-P", "-M", "options", "-D", dir / name, how, "sh", "-c",
                               "echo x > /new; cat /etc/hostname"}),
                      "busybox")
                << name << " " << how;
        EXPECT_FALSE(fs::exists(dir / name / "new")) << name;
    }
}

TEST_F(Reports, LinksOnTheWayToAMountLeadWithinTheTree) {
    dir.write("one/f", "one\n");
    fs::create_directories(tree / "real");
    fs::create_directory_symlink("/real", tree / "conf");
    fs::create_directory_symlink("/etc", tree / "abs");
    EXPECT_EQ(inside({"-x", "--tmpfs=/conf/stack"}, "touch /conf/stack/x; ls /real/stack"), "x");
    EXPECT_EQ(inside({"-x", "--bind={dir}/one/f:/abs/new"}, "cat /etc/new"), "one");
}

TEST_F(Reports, BindsGoOnTopOfTheMachinesOwnMounts) {
    dir.write("one/f", "one\n");
    EXPECT_EQ(inside({"-x", "--bind={dir}/one:/tmp/sub", "--bind-ro={dir}/one/f:/run/x/y"},
                     "cat /tmp/sub/f /run/x/y"),
              "one\none");
}

TEST_F(Reports, VolatileOverlayTakesUsersOfItsOwn) {
    const std::string before = text_of(tree / "etc/hostname");
    EXPECT_EQ(inside({"-U", "--volatile=overlay"}, "echo n > /etc/hostname; cat /etc/hostname"), "n");
    EXPECT_EQ(text_of(tree / "etc/hostname"), before);
}

TEST_F(Reports, TheHostsRootTakesAVolatileOverlay) {
    const Outcome outcome =
        run({"berth", "run", "-q", "-P", "-M", "options", "-D", "/", "--volatile=overlay", "true"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
}

TEST_F(Reports, AReadOnlyRootHasPlacesToWriteTo) {
    EXPECT_EQ(inside({"--read-only"}, "touch /tmp/x /run/x; touch /x 2>/dev/null || echo refused"),
              "refused");
}

TEST_F(Reports, WhatIsMountedInTheTreeStopsNoMachine) {
    for (const char *place : {"proc", "dev"})
        fs::create_directories(tree / place);
    {
        const Mounted proc("tmpfs", tree / "proc", "");
        for (const char *users : {"-U", "--private-users=no"})
            EXPECT_EQ(inside({users}, "ls -d /proc/1"), "/proc/1") << users;
    }
    const Mounted dev("tmpfs", tree / "dev", "");
    tree.write("dev/null", "not the device");
    EXPECT_EQ(inside({}, "echo x > /dev/null; stat -c %F /dev/null"), "character special file");
}

TEST_F(Reports, LinesOfPasswdThatAreWrongAreSkipped) {
    tree.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n\n# remark\n:no:name\nshort:x\n"
                             "odd:x:number:5::/:\ndup:x:2000:2000::/a:\ndup:x:2001:2001::/b:\n"
                             "last:x:1005:1005::/l:");
    tree.write("etc/group", "root:x:0:\n\n:bad\nbig:x:99999999999:last\nwheel:x:10:last\n");
    const std::string line = "grep ^Uid: /proc/self/status | cut -f2; echo \"$HOME\"";
    EXPECT_EQ(inside({"-x", "--user=last"}, line), "1005\n/l");
    EXPECT_EQ(inside({"-x", "--user=dup"}, line), "2000\n/a");
    EXPECT_EQ(inside({"-x", "--user=4242"}, line), "4242\n/");
    EXPECT_THAT(run(words({"-x", "--user=odd"}, {"true"})).err, HasSubstr("there is no user \"odd\""));
}

TEST_F(Reports, UsersNeedNoPasswdAndNoProgramInside) {
    for (const char *name : {"passwd", "group"})
        fs::remove(tree / "etc" / name);
    const std::string line = "id -u; echo \"$HOME\"";
    EXPECT_EQ(inside({"-x"}, line), "0\n/root");
    EXPECT_EQ(inside({"-x", "--user=root"}, line), "0\n/root");
    EXPECT_EQ(inside({"-x", "--user=1000"}, line), "1000\n/");
}

TEST_F(Reports, AFolderThatTheUserAloneMayEnterCanBeStartedIn) {
    fs::create_directory(tree / "own");
    fs::permissions(tree / "own", fs::perms::owner_all);
    succeed({"chown", "1000:1000", tree / "own"});
    EXPECT_EQ(inside({"--user=1000", "--chdir=/own"}, "pwd; touch f"), "/own");
    EXPECT_EQ(inside({"--user=1000", "--chdir=/own", "--drop-capability=all"}, "pwd; touch f"), "/own");
}

TEST_F(Reports, VariablesHaveTheValuesGiven) {
    EXPECT_EQ(inside({"-x", "--setenv=A=1", "--setenv=A=2", "--setenv=B=", "--setenv=C=x=y",
                      "--setenv=D=1,E=2", "--setenv=F=l1\nl2", "--setenv=container=mine", "--setenv=LANG=de"},
                     "echo \"$A|${B-unset}|$C|$D|$F|$container|$LANG\""),
              "2||x=y|1,E=2|l1\nl2|mine|de");
    const Outcome elsewhere = run(words({"-x", "--setenv=PATH=/nowhere"}, {"sh", "-c", "true"}));
    EXPECT_EQ(elsewhere.status, 1);
    EXPECT_THAT(elsewhere.err, HasSubstr("starting sh: No such file or directory"));
}

TEST_F(Reports, EnvironmentsMayBeLarge) {
    Words options{"-x"};
    for (int i = 0; i < 12; ++i)
        options.push_back(berth::format("--setenv=B{}={}", i, std::string(120000, 'x')));
    EXPECT_EQ(inside(options, "echo ${#B0} ${#B11}"), "120000 120000");
}

TEST_F(Reports, ArgumentsArePassedAsTheyAre) {
    EXPECT_EQ(run(words({"-x"}, {"sh", "-c", "echo \"$0|$1|$2\"", "a b", "$x", ""})).out, "a b|$x|\n");
}

TEST_F(Reports, StatusesAreTheCommands) {
    for (const int status : {0, 3, 133, 255})
        for (const char *init : {"--as-pid2", "--ephemeral"})
            EXPECT_EQ(run(words({init}, {"sh", "-c", berth::format("exit {}", status)})).status, status)
                << init;
    for (const int signal : {9, 15})
        EXPECT_EQ(run(words({"-x", "--as-pid2"}, {"sh", "-c", berth::format("kill -{} $$", signal)})).status,
                  128 + signal);
}

TEST_F(Reports, WhatACommandLeavesBehindEndsWithIt) {
    EXPECT_EQ(run(words({"-x"}, {"sh", "-c", "setsid sleep 300 & exit 4"})).status, 4);
    EXPECT_EQ(inside({"-x", "--as-pid2"},
                     "(sleep 0.1 &); sleep 0.5; cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ' || true"),
              "0");
}

TEST_F(Reports, PipesReachTheCommand) {
    EXPECT_EQ(run(words({"-x"}, {"cat"}), "hello\n").out, "hello\n");
    EXPECT_EQ(run(words({"-x"}, {"cat"}), std::string(3'000'000, 'x')).out.size(), 3'000'000U);
}

TEST_F(Reports, StreamsThatAreGoneEndNothing) {
    EXPECT_EQ(redirected("\"$@\" | true", words({"-x"}, {"true"})).status, 0);
    EXPECT_EQ(redirected("\"$@\" <&- >&-", words({"-x"}, {"true"})).status, 0);
}

TEST_F(Reports, HostNamesHaveTheKernelsLength) {
    EXPECT_EQ(inside({"-x", "--hostname=" + std::string(64, 'a')}, "hostname"), std::string(64, 'a'));
    EXPECT_EQ(run(words({"-x", "--hostname=" + std::string(65, 'a')}, {"true"})).status, 1);
}

TEST_F(Reports, AnotherNetworkIsEnteredWithUsersOfItsOwn) {
    const NetworkSpace space;
    const Outcome outcome =
        try_inside({"-x", "-U", "--network-namespace-path=" + space.path()}, "ls /sys/class/net; id -u");
    EXPECT_EQ(outcome.out, "lo\n0\n") << outcome.err;
}

TEST_F(Reports, LoopbackWorksInANetworkOfItsOwn) {
    EXPECT_EQ(inside({"-x", "--private-network"}, "ping -c1 -W1 127.0.0.1 >/dev/null && echo answered"),
              "answered");
}

TEST_F(Reports, DevicesOfTheHostKeepTheirOwners) {
    const std::string before = owner_of("/dev/net/tun");
    inside({"-U", "--network-veth"}, "ls -l /dev/net/tun");
    EXPECT_EQ(owner_of("/dev/net/tun"), before);
}

TEST_F(Reports, MappedBindsTakeFilesBehindLinksAndGroups) {
    dir.write("real/file", "in\n");
    succeed({"chown", "-R", "500:600", dir / "real"});
    fs::create_directory_symlink("real", dir / "link");
    EXPECT_EQ(inside({"-U", "--bind={dir}/link/file:/mnt/file:idmap"}, "stat -c %u:%g /mnt/file"), "500:600");
    EXPECT_EQ(inside({"-U", "--bind={dir}/real:/mnt:rootidmap"},
                     "stat -c %u:%g /mnt; touch /mnt/n; stat -c %u:%g /mnt/n"),
              "0:0\n0:0");
    EXPECT_EQ(owner_of(dir / "real/n"), "500:600 644");
}

TEST_F(Reports, LinksInEtcThatLeadNowhereAreCoveredOrLeft) {
    const HostFile host("/etc/resolv.conf", "nameserver 192.0.2.9\n");
    for (const char *name : {"resolv.conf", "localtime"})
        fs::remove(tree / "etc" / name);
    fs::create_symlink("/run/none/stub.conf", tree / "etc/resolv.conf");
    fs::create_symlink("../usr/share/zoneinfo/Mars/X", tree / "etc/localtime");
    EXPECT_EQ(inside({"--resolv-conf=bind-host"}, "cat /etc/resolv.conf; readlink /etc/localtime"),
              "nameserver 192.0.2.9\n../usr/share/zoneinfo/Mars/X");
    EXPECT_TRUE(fs::is_symlink(tree / "etc/resolv.conf"));
    EXPECT_EQ(inside({"--resolv-conf=replace-host"}, "cat /etc/resolv.conf"), "nameserver 192.0.2.9");
    EXPECT_FALSE(fs::is_symlink(tree / "etc/resolv.conf"));
}

TEST_F(Reports, LinksThatLeadNowhereLeadToWhatIsMountedOn) {
    dir.write("file", "of the host\n");
    dir.write("folder/f", "in it\n");
    const std::string file = (dir / "file").native();
    const std::string folder = (dir / "folder").native();
    fs::create_symlink("/no/where/file", tree / "etc/link");
    fs::create_symlink("../../../../up/here", tree / "etc/rel");
    fs::create_symlink("chain2", tree / "etc/chain");
    fs::create_symlink("/far/away", tree / "etc/chain2");
    fs::create_symlink("loop", tree / "etc/loop");
    for (const char *users : {"-U", "--private-users=no"}) {
        EXPECT_EQ(inside({"-x", users, "--bind-ro=" + file + ":/etc/link"}, "cat /no/where/file"),
                  "of the host");
        EXPECT_EQ(inside({"-x", users, "--bind=" + folder + ":/etc/rel"}, "cat /up/here/f"), "in it");
        EXPECT_EQ(inside({"-x", users, "--tmpfs=/etc/chain"}, "grep -c ' /far/away ' /proc/mounts"), "1");
        EXPECT_EQ(run(words({"-x", users, "--tmpfs=/etc/loop"}, {"true"})).status, 1);
    }
    EXPECT_FALSE(fs::exists("/no/where")) << "on the host";
    EXPECT_FALSE(fs::exists("/up/here"));
}

TEST_F(Reports, AJobInTheBackgroundOfATerminalComesToItsEnd) {
    Process shell({"bash", "--norc", "-im"}, Process::Stdio::terminal);
    shell.write("timeout 20 berth run -q -x -M options -D " + tree.path().native()
                + " --console=pipe sh -c 'stty raw; echo inside; stty sane' & wait; echo over''all\n");
    EXPECT_THAT(shell.wait_for("\noverall"), HasSubstr("inside"));
}

TEST_F(Reports, LimitsBeyondOurOwnAreTheNearestOnes) {
    const Outcome outcome = run({"setpriv", "--bounding-set=-sys_resource", "prlimit", "--nofile=2000:2000",
                                 "berth", "run", "-q", "-P", "-x", "-M", "options", "-D", tree.path(),
                                 "--rlimit=NOFILE=infinity", "sh", "-c", "ulimit -n"});
    EXPECT_EQ(outcome.out, "2000\n") << outcome.err;
}

TEST_F(Reports, AScriptNeedsNoInterpretersLine) {
    tree.write("bin/script", "echo it is $1\n");
    fs::permissions(tree / "bin/script", fs::perms::owner_all | fs::perms::others_all);
    for (const char *name : {"script", "/bin/script"})
        EXPECT_EQ(run(words({"-x"}, {name, "one"})).out, "it is one\n") << name;
}

TEST_F(Reports, ATreesPathNeedNotBeText) {
    const fs::path odd = dir / "a\xff";
    fs::create_directory(odd);
    succeed({"cp", "-a", tree.path().native() + "/.", odd});
    EXPECT_EQ(run({"berth", "run", "-q", "-P", "-x", "-M", "options", "-D", odd, "echo", "up"}).out, "up\n");
}

TEST_F(Reports, AUserThatIsNotNamedIsNotRoot) {
    const Outcome outcome = run(words({"-x", "--user="}, {"true"}));
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("no user is named"));
}
