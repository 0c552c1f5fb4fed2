// SPDX-License-Identifier: LGPL-2.1-or-later
// What is wrong is told in words that help, with a non-zero status, and nothing stays behind.
#include <filesystem>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

class Errors : public HostTest {
protected:
    /// Runs a machine that must fail; returns what it said.
    static std::string refusal(const Words &options) {
        Words words{"run", "--quiet"};
        words.insert(words.end(), options.begin(), options.end());
        const Outcome outcome = try_berth(words);
        EXPECT_EQ(outcome.status, 1) << outcome.out << outcome.err;
        EXPECT_EQ(outcome.out, "");
        EXPECT_THAT(outcome.err, StartsWith("berth run: "));
        return outcome.err;
    }
    /// With that text in /etc/berth/written.toml.
    std::string refusal_of_file(std::string_view toml) const {
        const Service service("written", toml);
        return refusal({"-M", "written", "-D", tree.path(), "-x", "true"});
    }

    SmallTree tree;
};

} // namespace

TEST_F(Errors, WrongNames) {
    for (const char *name :
         {"with space", "-dash", "dot.", "sl/ash", "", "../up", "ünicode", ".host", "a..b"})
        EXPECT_THAT(refusal({std::string("--machine=") + name, "-D", tree.path(), "-x", "true"}),
                    AllOf(HasSubstr("--machine="), HasSubstr("is not a machine name")))
            << name;
    EXPECT_THAT(refusal({"--machine=" + std::string(65, 'a'), "-D", tree.path(), "-x", "true"}),
                HasSubstr("is not a machine name"));
    EXPECT_EQ(run(run_words(std::string(64, 'a'), {"-D", tree.path(), "-x"}, {"true"})).status, 0);
}

TEST_F(Errors, MissingTrees) {
    EXPECT_THAT(
        refusal({"-D", "/no/such/tree", "-x", "true"}),
        AllOf(HasSubstr("--directory"), HasSubstr("/no/such/tree"), HasSubstr("No such file or directory")));
    EXPECT_THAT(refusal({"-D", "/etc/passwd", "-x", "true"}),
                AllOf(HasSubstr("/etc/passwd"), HasSubstr("Not a directory")));
    EXPECT_THAT(refusal({"-M", "no-such-image", "true"}),
                AllOf(HasSubstr("no-such-image"), HasSubstr("/var/lib/machines"), HasSubstr("--directory")));
    EXPECT_THAT(refusal({"-D", tree.path(), "--layer=/no/such/layer", "true"}),
                AllOf(HasSubstr("--layer"), HasSubstr("/no/such/layer")));
}

TEST_F(Errors, TreesWithoutAnOs) {
    const Folder empty;
    EXPECT_THAT(refusal({"-D", empty.path(), "-x", "true"}),
                AllOf(HasSubstr(empty.path().native()), HasSubstr("does not look like an OS tree"),
                      HasSubstr("/usr")));
    EXPECT_THAT(refusal({"-D", empty.path(), "-x", "--boot"}),
                AllOf(HasSubstr(empty.path().native()), HasSubstr("does not look like an OS tree"),
                      HasSubstr("os-release")));
}

TEST_F(Errors, TreesWithoutAnInit) {
    std::filesystem::remove(tree / "usr/sbin/init");
    EXPECT_THAT(refusal({"-M", "uninitiated", "-D", tree.path(), "-x", "--boot"}), HasSubstr("init"));
}

TEST_F(Errors, BrokenToml) {
    EXPECT_THAT(refusal_of_file("[exec]\nboot = \n"), HasSubstr("/etc/berth/written.toml:2:"));
    EXPECT_THAT(refusal_of_file("[exec\nboot = true\n"), HasSubstr("/etc/berth/written.toml:1:"));
    EXPECT_THAT(refusal_of_file("[exec]\nboot = true\nboot = false\n"),
                HasSubstr("/etc/berth/written.toml:3:"));
}

TEST_F(Errors, UnknownKeysWithTheNearest) {
    EXPECT_THAT(refusal_of_file("[exec]\n\n  hostnam = \"a\"\n"),
                AllOf(HasSubstr("/etc/berth/written.toml:3:3: "),
                      HasSubstr("unknown setting \"hostnam\" in [exec]"),
                      HasSubstr("did you mean \"hostname\"?")));
    EXPECT_THAT(refusal_of_file("[fils]\nread_only = true\n"),
                AllOf(HasSubstr("/etc/berth/written.toml:1:2: "), HasSubstr("unknown section [fils]"),
                      HasSubstr("did you mean \"files\"?")));
    EXPECT_THAT(refusal_of_file("[exec]\nzzzzzzzz = 1\n"), Not(HasSubstr("did you mean")));
    EXPECT_THAT(refusal_of_file("boot = true\n"), HasSubstr("/etc/berth/written.toml:1:1: "));
}

TEST_F(Errors, WrongTypes) {
    EXPECT_THAT(refusal_of_file("[exec]\nboot = \"maybe\"\n"),
                AllOf(HasSubstr("/etc/berth/written.toml:2:8: "),
                      HasSubstr("\"boot\" in [exec] takes true or false, not a string")));
    EXPECT_THAT(refusal_of_file("[root]\nlayers = [ \"/a\", 5 ]\n"),
                AllOf(HasSubstr("/etc/berth/written.toml:2:"), HasSubstr("not an integer")));
    EXPECT_THAT(refusal_of_file("[root]\nlayers = [ \"not/absolute\" ]\n"),
                AllOf(HasSubstr("/etc/berth/written.toml:2:"),
                      HasSubstr("\"not/absolute\" is not an absolute path")));
}

TEST_F(Errors, WrongOptions) {
    EXPECT_THAT(refusal({"--ephemeral=yes", "true"}), HasSubstr("--ephemeral"));
    EXPECT_THAT(refusal({"--no-such-option", "true"}), HasSubstr("unknown option --no-such-option"));
    EXPECT_THAT(refusal({"--hostnmae=x", "true"}), HasSubstr("did you mean --hostname?"));
    EXPECT_THAT(refusal({"--upper=sideways", "true"}),
                AllOf(HasSubstr("--upper=sideways"), HasSubstr("ephemeral")));
    EXPECT_THAT(refusal({"--console=wide", "true"}),
                HasSubstr("is not autopipe, interactive, passive, pipe or read-only"));
    EXPECT_THAT(refusal({"--kill-signal=SIGNOTHING", "true"}), HasSubstr("is not a signal"));
    EXPECT_THAT(refusal({"--uuid=xyz", "true"}), HasSubstr("is not a machine ID"));
    EXPECT_THAT(refusal({"--machine"}), HasSubstr("needs an argument"));
    EXPECT_THAT(refusal({"--tmpfs=relative", "true"}), HasSubstr("--tmpfs=relative"));
    EXPECT_THAT(refusal({"-D", tree.path(), "-x", "--capability=CAP_NOTHING", "true"}),
                HasSubstr("CAP_NOTHING"));
}

TEST_F(Errors, Contradictions) {
    const auto with = [&](Words more) {
        more.insert(more.begin(), {"-M", "torn", "-D", tree.path()});
        more.emplace_back("true");
        return refusal(more);
    };
    EXPECT_THAT(with({"-x", "--upper=persistent"}), HasSubstr("cannot be ephemeral and keep what it writes"));
    EXPECT_THAT(with({"-x", "--keep-unit", "--slice=other"}), HasSubstr("--keep-unit"));
    EXPECT_THAT(with({"-x", "--keep-unit", "--property=A=b"}), HasSubstr("--keep-unit"));
    EXPECT_THAT(with({"-x", "--boot", "--user=nobody"}), HasSubstr("an init runs as root"));
    EXPECT_THAT(with({"--layer=" + tree.path().native()}), HasSubstr("is there twice"));
    EXPECT_THAT(with({"-x", "--bind=/etc:/"}), HasSubstr("the root itself cannot be mounted over"));
    EXPECT_THAT(refusal({"-D", "/", "true"}), HasSubstr("--ephemeral, --volatile or --read-only"));
    std::filesystem::remove(tree / "sbin");
    std::filesystem::create_directory(tree / "sbin");
    EXPECT_THAT(with({"--volatile=yes"}), HasSubstr("is a link into /usr"));
}

TEST_F(Errors, OfTheMachineInTheMakingAreTold) {
    const auto with = [&](Words more) {
        more.insert(more.begin(), {"-M", "torn", "-D", tree.path(), "-x"});
        return refusal(more);
    };
    EXPECT_THAT(with({"--user=nobody-here", "true"}), HasSubstr("there is no user \"nobody-here\""));
    EXPECT_THAT(with({"--chdir=/nowhere", "true"}), HasSubstr("/nowhere"));
    EXPECT_THAT(with({"--tmpfs=/mnt:nosuchoption=1", "true"}), HasSubstr("--tmpfs=/mnt:nosuchoption=1"));
    EXPECT_THAT(with({"no-such-command"}), HasSubstr("no-such-command"));
    EXPECT_THAT(with({"/etc/passwd"}), HasSubstr("Permission denied"));
}

TEST_F(Errors, FilesBesideAnImageMayNotReachOut) {
    const Folder images;
    succeed({"cp", "-a", tree.path(), images / "untrusted"});
    images.write("untrusted.toml", "[files]\nbind = [\"/etc:/mnt\"]\nread_only = true\n");
    const Outcome outcome = try_berth(
        {"run", "-D", images / "untrusted", "sh", "-c", "ls /mnt 2>/dev/null | wc -l; echo x > /etc/x"});
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr("untrusted.toml:2:"), HasSubstr("is ignored"), HasSubstr("/etc/berth")));
    EXPECT_THAT(outcome.out, HasSubstr("Read-only file system")) << "what is harmless is obeyed";
    EXPECT_THAT(outcome.out, StartsWith("0"));
    EXPECT_EQ(try_berth({"run", "-q", "-D", images / "untrusted", "true"}).err, "") << "quiet is quiet";
}

TEST_F(Errors, ManagerThatCannotBeReached) {
    succeed({"systemctl", "mask", "--runtime", "--now", "berthd.service"});
    const Outcome run_outcome = run(run_words("alone", {"-D", tree.path(), "-x"}, {"true"}));
    const Outcome list_outcome = try_berth({"list"});
    EXPECT_EQ(run(run_words("alone", {"-D", tree.path(), "-x", "--register=no"}, {"true"})).status, 0);
    succeed({"systemctl", "unmask", "--runtime", "berthd.service"});
    EXPECT_EQ(run_outcome.status, 1);
    EXPECT_THAT(run_outcome.err, HasSubstr("registering machine \"alone\" with berthd"));
    EXPECT_EQ(list_outcome.status, 1);
    EXPECT_THAT(list_outcome.err,
                AllOf(HasSubstr("berthd cannot be reached"), HasSubstr("systemctl status berthd")));
}
