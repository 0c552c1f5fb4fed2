// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of the host that machines see or get: --resolv-conf=, --timezone=, --link-journal=,
// --set-credential= and --load-credential=.
#include <array>
#include <fstream>

#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class HostFiles : public OptionTest {
protected:
    /// What is at `path` of the tree before the start.
    enum class Before : std::uint8_t { none, file, link };

    void prepare(const fs::path &path, Before before) const {
        fs::remove(path);
        if (before == Before::file)
            std::ofstream(path) << "own\n";
        if (before == Before::link)
            fs::create_symlink("/run/nowhere", path);
    }
    /// Content, kind and whether it is mounted over, as seen inside.
    std::string seen(const std::string &option, const std::string &path) const {
        return inside({option}, "f=" + path
                                    + "; cat $f 2>/dev/null || echo nothing; readlink $f || true;"
                                      " ! grep -q \" $f \" /proc/self/mountinfo || echo mounted");
    }
    std::string with_users(const std::string &option, const std::string &path) const {
        return inside({option, "-U"}, "cat " + path);
    }
};

struct Case {
    const char *mode;
    std::array<const char *, 3> seen; ///< for none, file, link
};

} // namespace

TEST_F(HostFiles, ResolvConfInEveryMode) {
    const HostFile host("/etc/resolv.conf", "host\n");
    const HostFile fixed("/usr/lib/systemd/resolv.conf", "static\n");
    const HostFile uplink("/run/systemd/resolve/resolv.conf", "uplink\n");
    const HostFile stub("/run/systemd/resolve/stub-resolv.conf", "stub\n");
    constexpr const char *link = "nothing\n/run/nowhere";
    for (const Case &one :
         {Case{"off", {"nothing", "own", link}}, Case{"copy-host", {"host", "host", link}},
          Case{"copy-static", {"static", "static", link}}, Case{"copy-uplink", {"uplink", "uplink", link}},
          Case{"copy-stub", {"stub", "stub", link}}, Case{"replace-host", {"host", "host", "host"}},
          Case{"replace-static", {"static", "static", "static"}},
          Case{"replace-uplink", {"uplink", "uplink", "uplink"}},
          Case{"replace-stub", {"stub", "stub", "stub"}},
          Case{"bind-host", {"host\nmounted", "host\nmounted", "host\nmounted"}},
          Case{"bind-static", {"static\nmounted", "static\nmounted", "static\nmounted"}},
          Case{"bind-uplink", {"uplink\nmounted", "uplink\nmounted", "uplink\nmounted"}},
          Case{"bind-stub", {"stub\nmounted", "stub\nmounted", "stub\nmounted"}},
          Case{"delete", {"nothing", "nothing", "nothing"}}, Case{"auto", {"host", "host", link}}})
        for (const Before before : {Before::none, Before::file, Before::link}) {
            prepare(tree / "etc/resolv.conf", before);
            EXPECT_EQ(seen(std::string("--resolv-conf=") + one.mode, "/etc/resolv.conf"),
                      one.seen.at(static_cast<std::size_t>(before)))
                << one.mode << " " << static_cast<int>(before);
        }
    for (const char *mode : {"copy-host", "replace-host", "bind-host"}) {
        prepare(tree / "etc/resolv.conf", Before::none);
        EXPECT_EQ(with_users(std::string("--resolv-conf=") + mode, "/etc/resolv.conf"), "host") << mode;
        EXPECT_EQ(owner_of(tree / "etc/resolv.conf").substr(0, 3), "0:0") << mode;
    }
}

TEST_F(HostFiles, ResolvConfOnItsOwn) {
    const HostFile host("/etc/resolv.conf", "host\n");
    const auto automatic = [&](const std::string &option) {
        prepare(tree / "etc/resolv.conf", Before::file);
        return seen(option, "/etc/resolv.conf");
    };
    EXPECT_EQ(automatic("--quiet"), "host");
    EXPECT_EQ(automatic("--read-only"), "host\nmounted");
    EXPECT_EQ(automatic("--private-network"), "own");
    EXPECT_THAT(try_inside({"--resolv-conf=some"}, "true").err, HasSubstr("--resolv-conf=some: "));
    {
        const HostFile none("/etc/resolv.conf", std::nullopt);
        EXPECT_EQ(automatic("--resolv-conf=replace-host"), "own") << "there is nothing to hand on";
        EXPECT_EQ(automatic("--quiet"), "nothing") << "nothing here is right for the host's network";
        EXPECT_EQ(automatic("--read-only"), "own");
        EXPECT_EQ(automatic("--private-network"), "own");
    }
    EXPECT_EQ(automatic("--network-namespace-path=/proc/self/ns/net"), "host");
}

TEST_F(HostFiles, ResolvConfOfResolvedCountsWhileItRuns) {
    const HostFile host("/etc/resolv.conf", "host\n");
    const HostFile stub("/run/systemd/resolve/stub-resolv.conf", "stub\n");
    const auto automatic = [&](const std::string &option) {
        prepare(tree / "etc/resolv.conf", Before::file);
        return seen(option, "/etc/resolv.conf");
    };
    EXPECT_EQ(automatic("--quiet"), "host") << "the file that a resolver left";
    {
        const Process resolver({"systemd-run", "--quiet", "--wait", "--pipe", "--collect",
                                "--unit=systemd-resolved.service", "sleep", "infinity"});
        ASSERT_TRUE(eventually(
            [] { return run({"systemctl", "is-active", "systemd-resolved.service"}).out == "active\n"; }));
        EXPECT_EQ(automatic("--quiet"), "stub");
        EXPECT_EQ(automatic("--read-only"), "stub\nmounted");
        EXPECT_EQ(automatic("--private-network"), "own");
        fs::remove("/run/systemd/resolve/stub-resolv.conf");
        fs::create_symlink("resolv.conf", "/run/systemd/resolve/stub-resolv.conf");
        EXPECT_EQ(automatic("--quiet"), "host") << "there is no stub";
        succeed({"systemctl", "stop", "systemd-resolved.service"});
    }
    fs::remove("/run/systemd/resolve/stub-resolv.conf");
}

TEST_F(HostFiles, ResolvConfOfABindCannotBeWritten) {
    const HostFile host("/etc/resolv.conf", "host\n");
    EXPECT_THAT(try_inside({"--resolv-conf=bind-host"}, "echo x > /etc/resolv.conf").out,
                HasSubstr("Read-only file system"));
    EXPECT_EQ(text_of("/etc/resolv.conf"), "host\n");
}

TEST_F(HostFiles, TimezoneOfAHostThatHasNoLink) {
    const auto automatic = [&] {
        prepare(tree / "etc/localtime", Before::file);
        return seen("--timezone=auto", "/etc/localtime");
    };
    {
        const HostFile host("/etc/localtime", "a file\n");
        EXPECT_EQ(automatic(), "a file");
        EXPECT_EQ(seen("--read-only", "/etc/localtime"), "a file\nmounted");
    }
    const HostFile none("/etc/localtime", std::nullopt);
    EXPECT_EQ(automatic(), "nothing");
}

TEST_F(HostFiles, WhatCannotBeWrittenStopsNoMachine) {
    const HostFile host("/etc/resolv.conf", "host\n");
    tree.write("etc/resolv.conf", "fixed\n");
    succeed({"mount", "--bind", tree / "etc/resolv.conf", tree / "etc/resolv.conf"}); // renames fail: EBUSY
    const Outcome outcome = run(words({}, {"cat", "/etc/resolv.conf"}));
    succeed({"umount", tree / "etc/resolv.conf"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_FALSE(fs::exists(tree / "etc/.#resolv.conf.berth"));
}

TEST_F(HostFiles, TimezoneInEveryMode) {
    const HostFile zone("/usr/share/zoneinfo/Test/Zone", "host zone\n");
    const HostFile host("/etc/localtime", std::nullopt);
    fs::create_symlink("/usr/share/zoneinfo/Test/Zone", "/etc/localtime");
    tree.write("usr/share/zoneinfo/Test/Zone", "inside\n");
    constexpr const char *link = "inside\n../usr/share/zoneinfo/Test/Zone";
    for (const Case &one :
         {Case{"off", {"nothing", "own", "nothing\n/run/nowhere"}},
          Case{"copy", {"host zone", "host zone", "host zone"}},
          Case{"bind", {"host zone\nmounted", "host zone\nmounted", "host zone\nmounted"}},
          Case{"symlink", {link, link, link}}, Case{"delete", {"nothing", "nothing", "nothing"}},
          Case{"auto", {link, link, link}}})
        for (const Before before : {Before::none, Before::file, Before::link}) {
            prepare(tree / "etc/localtime", before);
            EXPECT_EQ(seen(std::string("--timezone=") + one.mode, "/etc/localtime"),
                      one.seen.at(static_cast<std::size_t>(before)))
                << one.mode << " " << static_cast<int>(before);
        }
    prepare(tree / "etc/localtime", Before::file);
    EXPECT_EQ(seen("--read-only", "/etc/localtime"), "host zone\nmounted");
    fs::remove(tree / "usr/share/zoneinfo/Test/Zone");
    EXPECT_EQ(seen("--timezone=symlink", "/etc/localtime"), "own") << "the link would lead nowhere";
    EXPECT_EQ(with_users("--timezone=copy", "/etc/localtime"), "host zone");
}

namespace {

class Journal : public HostFiles {
protected:
    Journal() { fs::remove_all(folder); }
    ~Journal() override { fs::remove_all(folder); }
    [[nodiscard]] Words with(const std::string &option) const { return {"--uuid=" + id, option}; }
    std::string seen_with(const std::string &option) const {
        return inside(with(option),
                      "d=/var/log/journal/" + id
                          + "; test -d $d && echo folder || echo none;"
                            " ! grep -q \" $d \" /proc/self/mountinfo || { echo mounted; touch $d/mine; }");
    }

    const std::string id = "5f3759df5f3759df5f3759df5f3759df";
    const fs::path folder = "/var/log/journal/" + id;
};

} // namespace

TEST_F(Journal, NoAndAuto) {
    EXPECT_EQ(seen_with("--link-journal=no"), "none");
    EXPECT_EQ(seen_with("--link-journal=auto"), "none");
    EXPECT_FALSE(fs::exists(folder));
    fs::create_directory(folder);
    EXPECT_EQ(seen_with("--link-journal=no"), "none");
    EXPECT_EQ(seen_with("--link-journal=auto"), "folder\nmounted");
    EXPECT_TRUE(fs::exists(folder / "mine"));
}

TEST_F(Journal, OfTheHost) {
    for (const char *mode : {"--link-journal=host", "--link-journal=try-host"}) {
        EXPECT_EQ(seen_with(mode), "folder\nmounted") << mode;
        EXPECT_TRUE(fs::exists(folder / "mine")) << mode;
        fs::remove_all(folder);
        fs::remove_all(tree / "var/log");
    }
    EXPECT_EQ(inside({"-U", "--uuid=" + id, "--link-journal=host"},
                     "touch /var/log/journal/" + id + "/mine; stat -c %u /var/log/journal/" + id),
              "0")
        << "the machine's own root can write there";
}

TEST_F(Journal, OfTheMachine) {
    for (const char *mode : {"--link-journal=guest", "--link-journal=try-guest", "-j"}) {
        EXPECT_EQ(seen_with(mode), "folder") << mode;
        EXPECT_EQ(fs::read_symlink(folder), tree / ("var/log/journal/" + id)) << mode;
        EXPECT_EQ(seen_with(mode), "folder") << "a second time: " << mode;
        fs::remove_all(folder);
    }
    const Outcome refused = try_inside({"-x", "--uuid=" + id, "--link-journal=guest"}, "true");
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("--link-journal=guest: a machine that throws away what it writes"));
    EXPECT_EQ(inside({"-x", "--uuid=" + id, "-j"}, "echo fine"), "fine");
    EXPECT_FALSE(fs::exists(fs::symlink_status(folder)));
    const Outcome layered =
        try_inside({"--upper=persistent", "--uuid=" + id, "--link-journal=guest"}, "true");
    EXPECT_EQ(layered.status, 1);
    EXPECT_THAT(layered.err, HasSubstr("linking the journal"));
    const PersistentUpper written("options");
}

TEST_F(Journal, OfTheHostIsNotGivenToMachinesThatKeepNothing) {
    fs::create_directory(folder);
    const std::string line = "grep -c /var/log/journal /proc/self/mountinfo || true";
    for (const char *mode : {"--link-journal=auto", "--link-journal=try-host"})
        EXPECT_EQ(inside({"-x", "--uuid=" + id, mode}, line), "0") << mode;
    EXPECT_EQ(inside({"--uuid=" + id, "--link-journal=auto"}, line), "1");
}

TEST_F(Journal, HostThatKeepsNone) {
    const Mounted empty("tmpfs", "/var/log", "mode=0755");
    for (const char *mode : {"host", "guest"}) {
        const Outcome refused = try_inside(with(std::string("--link-journal=") + mode), "true");
        EXPECT_EQ(refused.status, 1) << mode;
        EXPECT_THAT(refused.err, HasSubstr("the host keeps no journal on disk")) << mode;
        EXPECT_EQ(inside(with(std::string("--link-journal=try-") + mode), "echo fine"), "fine") << mode;
    }
    EXPECT_EQ(inside(with("--link-journal=auto"), "echo fine"), "fine");
}

namespace {
TEST_F(Journal, OfTheHostIsGivenToNoTreeThatClaimsItsId) {
    const HostFile claimed("/etc/machine-id", id + "\n");
    fs::create_directories("/var/log/journal/" + id);
    EXPECT_NE(seen_with("--link-journal=auto"), "folder\nmounted");
    EXPECT_NE(seen_with("--link-journal=try-host"), "folder\nmounted");
    for (const char *mode : {"host", "guest"}) {
        const Outcome refused = try_inside({"--uuid=" + id, std::string("--link-journal=") + mode}, "true");
        EXPECT_EQ(refused.status, 1) << mode;
        EXPECT_THAT(refused.err, HasSubstr("the host's own machine ID")) << mode;
    }
}

class Credentials : public OptionTest {};
} // namespace

TEST_F(Credentials, AreFilesThatRootInsideAloneReads) {
    dir.write("secret", "of a file\n");
    const Words options{"-x", "--set-credential=word:a\\x41\\n", "--load-credential=file:{dir}/secret"};
    const std::string line = "cd $CREDENTIALS_DIRECTORY; pwd; stat -c '%n %u %a' . word file; cat word file; "
                             "echo x > word || true";
    const std::string out = "/run/host/credentials\n. 0 700\nword 0 400\nfile 0 400\naA\nof a file\nsh: "
                            "can't create word: Read-only file system";
    for (const char *users : {"--private-users=no", "-U"}) {
        Words all = options;
        all.emplace_back(users);
        EXPECT_EQ(inside(all, line), out) << users;
    }
    EXPECT_THAT(
        try_inside({"-x", "--set-credential=word:x", "--user=1000"}, "cat $CREDENTIALS_DIRECTORY/word").out,
        HasSubstr("Permission denied"));
    EXPECT_EQ(inside({"-x", "--set-credential=word:one", "--set-credential=word:two"},
                     "cat $CREDENTIALS_DIRECTORY/word"),
              "two");
    EXPECT_EQ(inside({"-x"}, "echo ${CREDENTIALS_DIRECTORY-none}"), "none");
}

TEST_F(Credentials, OfOurOwnUnitArePassedOn) {
    // As systemd.exec(5) gives them to a unit; the test host's own systemd can mount none.
    dir.write("given/outer", "handed on\n");
    const Words launcher =
        words({"-x", "--load-credential=inner:outer"}, {"cat", "/run/host/credentials/inner"});
    Words in_unit = launcher;
    in_unit.insert(in_unit.begin(), {"env", "CREDENTIALS_DIRECTORY=" + (dir / "given").native()});
    EXPECT_EQ(succeed(in_unit), "handed on");
    const Outcome none = run(launcher);
    EXPECT_EQ(none.status, 1);
    EXPECT_THAT(none.err, AllOf(HasSubstr("--load-credential=inner:outer"), HasSubstr("./outer")));
}

TEST_F(Credentials, FilesAreFoundFromHere) {
    dir.write("near", "by\n");
    Words launcher = words({"-x", "--load-credential=a:./near"}, {"cat", "/run/host/credentials/a"});
    launcher.insert(launcher.begin(), {"env", "--chdir=" + dir.path().native()});
    EXPECT_EQ(succeed(launcher), "by");
}

TEST_F(Credentials, AreReadFromWhoeverListens) {
    const std::string socket = dir / "socket";
    Process listener(
        {"systemd-socket-activate", "--accept", "--listen=" + socket, "--inetd", "echo", "from a service"});
    ASSERT_TRUE(eventually([&] { return fs::exists(socket); }));
    EXPECT_EQ(inside({"-x", "--load-credential=a:" + socket}, "cat /run/host/credentials/a"),
              "from a service");
    listener.send_signal(SIGTERM);
}

TEST_F(Credentials, AreReadableForAUserWhoGainsNoPrivileges) {
    const std::string line = "cd $CREDENTIALS_DIRECTORY; stat -c %a . word; cat word";
    const Words options{"-x", "--set-credential=word:x", "--user=1000", "--no-new-privileges=yes"};
    EXPECT_EQ(inside(options, line), "755\n444\nx");
    Words behind = options;
    behind.emplace_back("--as-pid2");
    EXPECT_THAT(try_inside(behind, "cat $CREDENTIALS_DIRECTORY/word").out, HasSubstr("Permission denied"));
}

TEST_F(Credentials, ThatMakeNoSenseAreRefused) {
    for (const auto &[option, error] :
         {std::pair{"--set-credential=a/b:x", "\"a/b:x\" is not of the form ID:VALUE"},
          {"--set-credential=..:x", "is not of the form"},
          {"--load-credential=a", "is not of the form ID:PATH"},
          {"--load-credential=a:", "names no file"},
          {"--load-credential=a:/no/such", "/no/such"}}) {
        const Outcome outcome = try_inside({"-x", option}, "true");
        EXPECT_EQ(outcome.status, 1) << option;
        EXPECT_THAT(outcome.err, AllOf(HasSubstr(option), HasSubstr(error)));
    }
}
