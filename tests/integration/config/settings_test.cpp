// SPDX-License-Identifier: LGPL-2.1-or-later
// Where settings come from: files in their places, and all the names that systemd-nspawn has.
// With sanitizers on, gcc is wrong about what std::regex is made of.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <regex>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/parse.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;
using Json = nlohmann::json; // whose objects compare without regard to order

namespace {

/// Settings are read for the tree's own name; both places beside it are in {dir}.
class SettingsFiles : public OptionTest {
protected:
    SettingsFiles() {
        fs::create_directory(dir / "options");
        succeed({"cp", "-a", tree.path().native() + "/.", dir / "options"});
    }

    [[nodiscard]] Outcome dry_run(const Words &options) const {
        Words words{"berth", "run", "--dry-run=json", "-D", dir / "options"};
        words.insert(words.end(), options.begin(), options.end());
        return run(words);
    }
    [[nodiscard]] Json plan(const Words &options) const {
        const Outcome outcome = dry_run(options);
        EXPECT_EQ(outcome.status, 0) << outcome.err;
        Json plan = Json::parse(outcome.out, nullptr, false);
        if (plan.is_object()) {
            // What is random, or ends so for an ephemeral machine.
            plan.erase("machineId");
            plan.erase("name");
            plan.erase("origins"); // each file is another
            for (auto &mount : plan["mounts"])
                mount.erase("origin");
            plan["unit"].erase("scope");
            plan["environment"].erase("container_uuid");
        }
        return plan;
    }
    [[nodiscard]] std::string hostname(const Words &options = {}) const {
        return plan(options).value("hostname", "");
    }
    static std::string nspawn(const std::string &name) { return "[Exec]\nHostname=" + name + "\n"; }
    static std::string toml(const std::string &name) { return "[exec]\nhostname = \"" + name + "\"\n"; }
};

/// All that can be said in a .nspawn file and be planned on any host.
constexpr const char *everything = R"([Exec]
# a comment
Boot=no
ProcessTwo=yes
Ephemeral=yes
Parameters=echo "a b" \
    'c d' e\x20f
Environment=A=1
Environment=B=2 "C=3 4"
User=root
WorkingDirectory=/etc
Capability=CAP_NET_ADMIN CAP_SYSLOG
DropCapability=CAP_CHOWN
DropCapability=CAP_KILL
AmbientCapability=CAP_NET_RAW
NoNewPrivileges=yes
KillSignal=SIGUSR1
Personality=x86
MachineID=0123456789abcdef0123456789abcdef
PrivateUsers=131072:65536
NotifyReady=yes
SystemCallFilter=~@keyring
SystemCallFilter=add_key
LimitNOFILE=100:200
LimitRTTIME=1s
LimitNICE=0
OOMScoreAdjust=100
CPUAffinity=0 1
Hostname=other
ResolvConf=off
Timezone=off
LinkJournal=no
SuppressSync=yes
X-Unknown=ignored
[Files]
ReadOnly=no
Volatile=no
Bind=/usr/share:/mnt/a
Bind=-/no/such
BindReadOnly=+/etc:/mnt/b:norbind
TemporaryFileSystem=/mnt/c:mode=0700
Inaccessible=/root
Overlay=/usr/share:/usr/lib::/mnt/d
OverlayReadOnly=/usr/share:/usr/lib:/mnt/e
PrivateUsersOwnership=map
[Network]
Private=yes
VirtualEthernet=no
[X-Section]
Anything=goes
)";

} // namespace

TEST_F(SettingsFiles, EachPlaceIsReadAndTheFirstWins) {
    EXPECT_EQ(hostname(), "options");
    const HostFile beside_nspawn(dir / "options.nspawn", nspawn("beside-nspawn"));
    EXPECT_EQ(hostname(), "beside-nspawn");
    const HostFile beside_toml(dir / "options.toml", toml("beside-toml"));
    EXPECT_EQ(hostname(), "beside-toml");
    const HostFile run_nspawn("/run/systemd/nspawn/options.nspawn", nspawn("run-nspawn"));
    EXPECT_EQ(hostname(), "run-nspawn");
    const HostFile etc_nspawn("/etc/systemd/nspawn/options.nspawn", nspawn("etc-nspawn"));
    EXPECT_EQ(hostname(), "etc-nspawn");
    const HostFile run_toml("/run/berth/options.toml", toml("run-toml"));
    EXPECT_EQ(hostname(), "run-toml");
    const HostFile etc_toml("/etc/berth/options.toml", toml("etc-toml"));
    EXPECT_EQ(hostname(), "etc-toml");
    EXPECT_EQ(hostname({"--settings=no"}), "options");
    EXPECT_EQ(hostname({"--hostname=given"}), "given");
    EXPECT_EQ(hostname({"--hostname=given", "--settings=override"}), "etc-toml");
    EXPECT_EQ(hostname({"--machine=another"}), "another");
    EXPECT_EQ(hostname({"--ephemeral"}), "etc-toml") << "the name without its random end counts";
    EXPECT_THAT(
        berth_succeeds({"config", "show", "options"}),
        AllOf(HasSubstr("exec.hostname"), HasSubstr("etc-toml"), HasSubstr("/etc/berth/options.toml:2:12")));
    EXPECT_THAT(dry_run({"--settings=some"}).err, HasSubstr("the choices are yes, no, override and trusted"));
}

TEST_F(SettingsFiles, WhatOneFileDoesNotSayStaysAsGiven) {
    const HostFile file("/etc/systemd/nspawn/options.nspawn",
                        nspawn("file") + "[Files]\nBind=/usr/share:/a\n");
    EXPECT_EQ(plan({"--bind=/usr/lib:/b"})["mounts"].size(), 1U)
        << "the command line's list takes the file's place";
    const Json overridden = plan({"--bind=/usr/lib:/b", "--chdir=/etc", "--settings=override"});
    EXPECT_EQ(overridden["mounts"].size(), 1U);
    EXPECT_EQ(overridden["mounts"][0]["destination"], "/a");
    EXPECT_EQ(overridden["workingDirectory"], "/etc");
}

TEST_F(SettingsFiles, FileBesideTheTreeGivesNothingBack) {
    const HostFile beside(dir / "options.nspawn",
                          std::string("[Exec]\nDropCapability=CAP_SYSLOG\nEphemeral=no\n"
                                      "SystemCallFilter=~@clock\n[Network]\nPrivate=no\n"));
    const Outcome outcome = dry_run({"--settings=override", "-x", "--private-network",
                                     "--drop-capability=CAP_SYS_ADMIN", "--system-call-filter=~@mount"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const Json plan = Json::parse(outcome.out);
    EXPECT_EQ(plan["root"]["upper"], "ephemeral");
    EXPECT_THAT(plan["boundingSet"].dump(), Not(HasSubstr("cap_sys_admin")));
    EXPECT_THAT(plan["namespaces"].dump(), HasSubstr("net"));
    EXPECT_EQ(plan["process"]["systemCallFilter"], Json({"~@mount", "~@clock"}));
    for (const char *key : {"options.nspawn:3: Ephemeral=", "options.nspawn:6: Private="})
        EXPECT_THAT(outcome.err, HasSubstr(key));
}

TEST_F(SettingsFiles, WhatGoesTogetherIsReplacedTogether) {
    const HostFile file("/etc/systemd/nspawn/options.nspawn",
                        std::string("[Exec]\nBoot=yes\n[Network]\nMACVLAN=lo\n[Files]\nInaccessible=/srv\n"));
    const Json command = plan({"--network-veth", "--tmpfs=/mnt", "/bin/ls"});
    EXPECT_EQ(command["mode"], "command") << "and not an argument to the init";
    EXPECT_EQ(command["mounts"].size(), 1U);
    EXPECT_THAT(command["network"].dump(), AllOf(HasSubstr("\"veth\":true"), Not(HasSubstr("mv-lo"))));
    const Json overridden = plan({"--network-veth", "--tmpfs=/mnt", "--settings=override", "/bin/ls"});
    EXPECT_EQ(overridden["mode"], "boot");
    EXPECT_EQ(overridden["mounts"][0]["destination"], "/srv");
    EXPECT_THAT(overridden["network"].dump(), AllOf(Not(HasSubstr("\"veth\":true")), HasSubstr("mv-lo")));
}

TEST_F(SettingsFiles, ShownIsWhatCounts) {
    const HostFile file("/etc/berth/options.toml",
                        "[exec]\nuser = \"first\"\n[files]\nbind = [\"/a\", \"/b\"]\n");
    const HostFile nspawn_file("/etc/systemd/nspawn/other.nspawn", "[Exec]\nUser=first\nUser=second\n");
    const std::string shown = berth_succeeds({"config", "show", "other"});
    EXPECT_THAT(shown, AllOf(HasSubstr("second"), HasSubstr("other.nspawn:3"), Not(HasSubstr("first"))));
    EXPECT_THAT(berth_succeeds({"config", "show", "options"}), AllOf(HasSubstr("/a"), HasSubstr("/b")));
}

TEST_F(SettingsFiles, FileBesideTheTreeIsNotTrusted) {
    const HostFile beside(dir / "options.nspawn",
                          std::string("[Exec]\nHostname=beside\nCapability=CAP_NET_ADMIN\nSystemCallFilter=@"
                                      "mount\nSystemCallFilter=~@clock\n"
                                      "PrivateUsers=no\n[Files]\nBind=/etc:/mnt\nReadOnly=yes\n"));
    const Outcome outcome = dry_run({});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const Json plan = Json::parse(outcome.out);
    EXPECT_EQ(plan["hostname"], "beside");
    EXPECT_TRUE(plan["root"]["readOnly"]);
    EXPECT_TRUE(plan["mounts"].empty());
    EXPECT_EQ(plan["process"]["systemCallFilter"], Json({"~@clock"}));
    EXPECT_THAT(plan["boundingSet"].dump(), Not(HasSubstr("cap_net_admin")));
    for (const char *key : {"options.nspawn:3: Capability=", "options.nspawn:4: SystemCallFilter=",
                            "options.nspawn:6: PrivateUsers=", "options.nspawn:8: Bind="})
        EXPECT_THAT(outcome.err, HasSubstr(key));
    EXPECT_THAT(outcome.err, HasSubstr("move the file to /etc/systemd/nspawn"));
    const Json trusting = this->plan({"--settings=trusted"});
    EXPECT_EQ(trusting["mounts"].size(), 1U);
    EXPECT_THAT(trusting["boundingSet"].dump(), HasSubstr("cap_net_admin"));
}

TEST_F(SettingsFiles, SettingsOfAFileHoldInside) {
    const HostFile file("/etc/systemd/nspawn/options.nspawn",
                        std::string("[Exec]\nEphemeral=yes\nParameters=sh -c 'echo $GREETING; hostname; cat "
                                    "/mnt/f; id -u'\nEnvironment=\"GREETING=hello there\"\n"
                                    "Hostname=by-file\nPrivateUsers=131072\n[Files]\nBindReadOnly=")
                            + dir.write("source/f", "bound\n").parent_path().native() + ":/mnt\n");
    EXPECT_EQ(succeed({"berth", "run", "-q", "-P", "-D", dir / "options"}), "hello there\nby-file\nbound\n0");
}

TEST_F(SettingsFiles, ConvertedFileMeansTheSame) {
    const fs::path original = dir.write("all.nspawn", everything);
    EXPECT_EQ(berth_succeeds({"config", "check", original}), original.native() + ": valid");
    const std::string converted = berth_succeeds({"config", "convert", original});
    Json from_nspawn;
    {
        const HostFile file("/etc/systemd/nspawn/options.nspawn", everything);
        from_nspawn = plan({});
        EXPECT_EQ(from_nspawn["command"], Json({"echo", "a b", "c d", "e f"}));
        EXPECT_EQ(from_nspawn["environment"]["C"], "3 4");
        EXPECT_EQ(from_nspawn["mounts"].size(), 6U);
    }
    const HostFile file("/etc/berth/options.toml", converted);
    EXPECT_EQ(berth_succeeds({"config", "check", "/etc/berth/options.toml"}),
              "/etc/berth/options.toml: valid");
    EXPECT_EQ(plan({}), from_nspawn);
    EXPECT_EQ(berth_succeeds({"config", "convert", "/etc/berth/options.toml"}), converted)
        << "converted again, it stays";
}

TEST_F(SettingsFiles, CheckNamesFileLineAndSetting) {
    struct Case {
        const char *file;
        const char *content;
        const char *error;
    };
    for (const Case &one :
         {Case{"a.nspawn", "[Exec]\nBoots=yes\n",
               "a.nspawn:2: unknown setting Boots= in [Exec]; did you mean Boot=?"},
          Case{"b.nspawn", "[Exec]\n\nBoot=maybe\n", "b.nspawn:3: Boot=: "},
          Case{"c.nspawn", "[Files]\nBoot=yes\n", "c.nspawn:2: unknown setting Boot= in [Files]"},
          Case{"d.nspawn", "Boot=yes\n", "d.nspawn:1: Boot= stands before any section"},
          Case{"e.nspawn", "[Else]\n", "e.nspawn:1: unknown section [Else]"},
          Case{"f.nspawn", "[Exec]\nParameters=\"open\n", "f.nspawn:2: Parameters=: a quote is not closed"},
          Case{"g.toml", "[exec]\nboots = true\n", "g.toml:2:"}, Case{"h.toml", "[exec\n", "h.toml:1:"},
          Case{"i.conf", "", "the name of a configuration file ends in .toml or .nspawn"}}) {
        const Outcome outcome = try_berth({"config", "check", dir.write(one.file, one.content)});
        EXPECT_EQ(outcome.status, 1) << one.file;
        EXPECT_THAT(outcome.err, HasSubstr(one.error));
    }
}

namespace {

class PeersNames : public OptionTest {
protected:
    /// Whether `berth run` knows these words: with --help after them it looks at nothing else.
    static bool known(const Words &option) {
        Words words{"run"};
        words.insert(words.end(), option.begin(), option.end());
        words.emplace_back("--help");
        return try_berth(words).status == 0;
    }
};

} // namespace

TEST_F(PeersNames, EveryOptionOfItsHelpIsKnown) {
    const std::string help = succeed({"systemd-nspawn", "--help"});
    const std::regex line(R"(^\s+(?:-([A-Za-z])\s*)?(?:(--[a-z0-9-]+)(\[?=)?.*)?)");
    int options = 0;
    int letters = 0;
    for (const std::string &text : berth::split(help, '\n')) {
        std::smatch match;
        if (!text.starts_with("  ") || !std::regex_search(text, match, line)
            || (!match[1].matched && !match[2].matched))
            continue;
        const bool valued = match[3].matched;
        const std::string value = text.contains("BOOLEAN") ? "yes" : "x";
        if (match[2].matched) {
            ++options;
            EXPECT_TRUE(known({match[2].str() + (valued ? "=" + value : "")})) << text;
        }
        if (match[1].matched) {
            ++letters;
            const std::string letter = "-" + match[1].str();
            EXPECT_TRUE(known(valued ? Words{letter, "x"} : Words{letter})) << text;
        }
    }
    EXPECT_GT(options, 70) << help;
    EXPECT_GT(letters, 14) << help;
    EXPECT_FALSE(known({"--no-such-option"}));
    EXPECT_FALSE(known({"-y"}));
}

TEST_F(PeersNames, EveryKeyOfItsFilesIsKnown) {
    const std::string page = succeed({"zcat", "/usr/share/man/man5/systemd.nspawn.5.gz"});
    const std::regex section(R"(^\.SH "\[([A-Z]+)\] SECTION OPTIONS")");
    const std::regex key(R"(\\fI([A-Z][A-Za-z]*)=\\fR)");
    std::string current;
    std::string previous;
    int keys = 0;
    for (const std::string &text : berth::split(page, '\n')) {
        std::smatch match;
        if (text.starts_with(".SH"))
            current = std::regex_search(text, match, section) ? match[1].str() : "";
        if (!current.empty() && previous == ".PP" && text.starts_with("\\fI")) {
            const std::string name = current.substr(0, 1)
                                     + (current == "EXEC"    ? "xec"
                                        : current == "FILES" ? "iles"
                                                             : "etwork");
            for (std::sregex_iterator at(text.begin(), text.end(), key), end; at != end; ++at, ++keys) {
                const Outcome outcome =
                    try_berth({"config", "check",
                               dir.write("key.nspawn", "[" + name + "]\n" + (*at)[1].str() + "=\n")});
                EXPECT_EQ(outcome.status, 0) << outcome.err;
            }
        }
        previous = text;
    }
    EXPECT_GT(keys, 55) << page.substr(0, 2000);
}

TEST_F(PeersNames, WhatIsNotTakenIsRefusedWithAReason) {
    struct Case {
        const char *option;
        const char *reason;
    };
    for (const Case &one :
         {Case{"--oci-bundle=/x", "OCI bundles are not supported yet"},
          Case{"--private-users=managed", "not supported yet; pick takes a free one"},
          Case{"--selinux-context=x", "this host has no SELinux"}, Case{"-Lx", "this host has no SELinux"}}) {
        const Outcome outcome = try_inside({"-x", one.option}, "true");
        EXPECT_EQ(outcome.status, 1) << one.option;
        EXPECT_THAT(outcome.err, HasSubstr(one.reason));
    }
}

/// Modes that the peer takes truth values for, and words that it lists.
TEST_F(SettingsFiles, WordsAreThoseOfThePeer) {
    int number = 0; // systemd-nspawn's names are not free at once
    for (const char *option : {"--resolv-conf", "--timezone", "--link-journal", "--private-users-ownership",
                               "--volatile", "--register", "--notify-ready"})
        for (const char *word : {"yes", "no", "true", "false", "on", "off", "1", "0"}) {
            for (const Words &program : {Words{"berth", "run"}, Words{"systemd-nspawn"}}) {
                Words words = program;
                words.insert(words.end(), {std::string(option) + "=" + word, "-P", "-q", "-x", "-M",
                                           "options-" + std::to_string(++number), "-D", tree.path(), "true"});
                const Outcome outcome = run(words);
                EXPECT_EQ(outcome.status, 0)
                    << program.front() << " " << option << "=" << word << outcome.err;
            }
        }
    for (const char *option : {"resolv-conf", "timezone", "console", "kill-signal", "private-users-ownership",
                               "volatile", "rlimit", "capability"}) {
        const std::string help = std::string("--") + option + "=help";
        const auto sorted = [](const std::string &text) {
            std::vector<std::string> lines = berth::split(text, '\n');
            std::ranges::sort(lines);
            return lines;
        };
        EXPECT_EQ(sorted(run({"berth", "run", help}).out), sorted(run({"systemd-nspawn", help}).out))
            << option;
    }
}

TEST_F(SettingsFiles, TheFilesCommandIsRunByTheSmallInit) {
    dir.write("options.nspawn", "[Exec]\nParameters=echo from the file\n");
    const Words run_it{"berth", "run", "-q", "-P", "-x", "--settings=trusted", "-D", dir / "options"};
    Words pid2 = run_it;
    pid2.emplace_back("--as-pid2");
    EXPECT_EQ(succeed(pid2), "from the file");
    pid2.insert(pid2.end(), {"echo", "given"});
    EXPECT_EQ(succeed(pid2), "given");
}
