// SPDX-License-Identifier: LGPL-2.1-or-later
// Commands in machines: their exit codes, their stdio, who they run as.
#include <signal.h>

#include <memory>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;

namespace {

class Exec : public HostTest {
protected:
    Exec() : HostTest("execed") {}

    static void SetUpTestSuite() {
        tree = std::make_unique<SmallTree>();
        tree->write("etc/passwd", "root::0:0:root:/root:/bin/sh\nalice:x:1000:1001::/tmp:/bin/sh\n");
        tree->write("etc/group", "root:x:0:\nalice:x:1001:\nextra:x:2000:alice\n");
        machine = std::make_unique<Machine>("execed", Words{"-D", tree->path(), "-x", "--private-network"});
    }
    static void TearDownTestSuite() {
        machine.reset();
        tree.reset();
    }

    inline static std::unique_ptr<SmallTree> tree;
    inline static std::unique_ptr<Machine> machine;
};

int status_of(const Words &command) {
    Words words{"exec", "execed"};
    words.insert(words.end(), command.begin(), command.end());
    return try_berth(words).status;
}

} // namespace

TEST_F(Exec, ReturnsTheCommandsExitCode) {
    EXPECT_EQ(status_of({"true"}), 0);
    EXPECT_EQ(status_of({"sh", "-c", "exit 7"}), 7);
    EXPECT_EQ(status_of({"sh", "-c", "exit 255"}), 255);
}

TEST_F(Exec, ReturnsSignalsAsShellsDo) {
    EXPECT_EQ(status_of({"sh", "-c", "kill -TERM $$"}), 128 + SIGTERM);
    EXPECT_EQ(status_of({"sh", "-c", "kill -KILL $$"}), 128 + SIGKILL);
    EXPECT_EQ(status_of({"sh", "-c", "kill -INT $$"}), 128 + SIGINT);
}

TEST_F(Exec, CommandsThatCannotBeStartedAre127And126) {
    const Outcome missing = machine->try_exec({"no-such-command"});
    EXPECT_EQ(missing.status, 127);
    EXPECT_THAT(missing.err, AllOf(HasSubstr("no-such-command"), HasSubstr("No such file or directory")));
    EXPECT_EQ(status_of({"/no/such/command"}), 127);
    const Outcome refused = machine->try_exec({"/etc/passwd"});
    EXPECT_EQ(refused.status, 126);
    EXPECT_THAT(refused.err, HasSubstr("Permission denied"));
    EXPECT_EQ(status_of({"/etc"}), 126);
}

TEST_F(Exec, JoinsAllNamespaces) {
    for (const char *kind : {"mnt", "pid", "ipc", "uts", "cgroup", "net"}) {
        const std::string link = std::string("/proc/self/ns/") + kind;
        EXPECT_EQ(machine->exec({"readlink", link}),
                  machine->exec({"readlink", std::string("/proc/1/ns/") + kind}));
        EXPECT_NE(machine->exec({"readlink", link}), succeed({"readlink", link})) << kind;
    }
    EXPECT_EQ(machine->exec({"hostname"}), "execed");
    EXPECT_EQ(machine->exec({"grep", "^0::", "/proc/1/cgroup"}), "0::/");
}

TEST_F(Exec, HandsStdioOn) {
    std::string much;
    for (int i = 0; i < 100000; ++i)
        much += std::to_string(i) + "\n";
    const Outcome outcome = machine->try_exec({"sh", "-c", "cat; echo to stderr >&2"}, much);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_TRUE(outcome.out == much) << outcome.out.size() << " bytes came of " << much.size();
    EXPECT_EQ(outcome.err, "to stderr\n");
}

TEST_F(Exec, SeesTheEndOfItsInput) {
    EXPECT_EQ(machine->try_exec({"wc", "-c"}, "").out, "0\n");
    EXPECT_EQ(machine->try_exec({"wc", "-c"}, "12345").out, "5\n");
}

TEST_F(Exec, OutputNobodyReadsEndsTheCommand) {
    EXPECT_EQ(succeed({"sh", "-c", "berth exec execed yes | head -n 2"}), "y\ny");
}

TEST_F(Exec, OptionsOfTheCommandAreItsOwn) {
    EXPECT_EQ(machine->exec({"echo", "--help", "-q", "--", "--version"}), "--help -q -- --version");
    EXPECT_EQ(machine->exec({"--", "echo", "-n", "x"}), "x");
}

TEST_F(Exec, RunsAsTheUserOfTheMachine) {
    EXPECT_EQ(machine->exec({"id", "-u"}), "0");
    EXPECT_EQ(berth_succeeds(
                  {"exec", "--uid=alice", "execed", "sh", "-c", "id -u; id -g; id -G; echo $HOME $USER"}),
              "1000\n1001\n1001 2000\n/tmp alice");
    EXPECT_EQ(berth_succeeds({"exec", "--uid=1234", "execed", "id", "-u"}), "1234");
    const Outcome unknown = try_berth({"exec", "--uid=nobody-here", "execed", "id"});
    EXPECT_EQ(unknown.status, 1);
    EXPECT_THAT(unknown.err, HasSubstr("there is no user \"nobody-here\""));
    EXPECT_EQ(berth_succeeds({"exec", "--uid=alice", "execed", "grep", "CapEff", "/proc/self/status"}),
              "CapEff:\t0000000000000000");
}

TEST_F(Exec, HasACleanEnvironmentAndWhatIsSet) {
    ::setenv("LEAKY", "from the host", 1); // NOLINT(concurrency-mt-unsafe): one thread
    const std::string environment = machine->exec({"env"});
    ::unsetenv("LEAKY"); // NOLINT(concurrency-mt-unsafe)
    EXPECT_THAT(environment, testing::Not(HasSubstr("LEAKY")));
    EXPECT_THAT(environment, HasSubstr("container=berth"));
    EXPECT_EQ(
        berth_succeeds({"exec", "-E", "A=b c", "--setenv=HOME=/etc", "execed", "sh", "-c", "echo $A $HOME"}),
        "b c /etc");
}

TEST_F(Exec, StartsInTheDirectoryAskedFor) {
    EXPECT_EQ(machine->exec({"pwd"}), "/");
    EXPECT_EQ(berth_succeeds({"exec", "--chdir=/etc", "execed", "pwd"}), "/etc");
    EXPECT_NE(try_berth({"exec", "--chdir=/nowhere", "execed", "pwd"}).status, 0);
}

TEST_F(Exec, CapabilitiesAreTheMachines) {
    EXPECT_EQ(machine->exec({"grep", "^Cap", "/proc/self/status"}),
              machine->exec({"grep", "^Cap", "/proc/1/status"}));
}

TEST_F(Exec, SignalsReachTheCommand) {
    Process process({"berth", "exec", "execed", "sh", "-c",
                     "trap 'echo got it; exit 5' TERM; echo set; while :; do sleep 0.1; done"});
    process.wait_for("set");
    process.send_signal(SIGTERM);
    EXPECT_EQ(process.wait(), 5);
    EXPECT_THAT(process.out(), HasSubstr("got it"));
}

TEST_F(Exec, UnknownMachinesAreNamed) {
    const Outcome outcome = try_berth({"exec", "no-such-machine", "true"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("no-such-machine"));
}

TEST_F(Exec, ManyAtOnce) {
    std::vector<std::unique_ptr<Process>> all;
    for (int i = 0; i < 20; ++i)
        all.push_back(
            std::make_unique<Process>(Words{"berth", "exec", "execed", "sh", "-c",
                                            "echo " + std::to_string(i) + "; exit " + std::to_string(i)}));
    for (int i = 0; i < 20; ++i) {
        const auto at = static_cast<std::size_t>(i);
        EXPECT_EQ(all[at]->wait(), i) << all[at]->err();
        EXPECT_EQ(all[at]->out(), std::to_string(i) + "\n");
    }
}

class Run : public HostTest {
protected:
    [[nodiscard]] Outcome run_in(Words options, const Words &command, std::string_view input = {}) const {
        options.insert(options.begin(), {"-D", tree.path().native(), "-x"});
        return run(run_words("runner", options, command), input);
    }

    SmallTree tree;
};

TEST_F(Run, ReturnsTheCommandsStatus) {
    for (const char *mode : {"--pipe", "--as-pid2", "--console=read-only"}) {
        EXPECT_EQ(run_in({mode}, {"true"}).status, 0) << mode;
        EXPECT_EQ(run_in({mode}, {"sh", "-c", "exit 7"}).status, 7) << mode;
        EXPECT_EQ(run_in({mode, "--as-pid2"}, {"sh", "-c", "kill -TERM $$"}).status, 128 + SIGTERM) << mode;
    }
}

TEST_F(Run, CommandsThatAreNotThereAreErrors) {
    for (const Words &options : {Words{"--pipe"}, Words{"--pipe", "--as-pid2"}}) {
        const Outcome outcome = run_in(options, {"no-such-command"});
        EXPECT_NE(outcome.status, 0);
        EXPECT_THAT(outcome.err, AllOf(HasSubstr("no-such-command"), HasSubstr("No such file or directory")));
    }
}

TEST_F(Run, PipesStdioThrough) {
    const Outcome outcome = run_in({"--pipe"}, {"sh", "-c", "cat; echo to stderr >&2"}, "to stdin\n");
    EXPECT_EQ(outcome.out, "to stdin\n");
    EXPECT_EQ(outcome.err, "to stderr\n");
}

TEST_F(Run, MuchOutputComesWhole) {
    for (const char *mode : {"--pipe", "--console=read-only"}) {
        const Outcome outcome = run_in({mode}, {"seq", "1", "100000"});
        EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 100000) << mode;
        EXPECT_TRUE(outcome.out.ends_with(std::string_view(mode) == "--pipe" ? "\n100000\n" : "\n100000\r\n"))
            << mode;
    }
}

TEST_F(Run, IsPidOneOrTwo) {
    EXPECT_EQ(run_in({"--pipe"}, {"sh", "-c", "echo $$"}).out, "1\n");
    EXPECT_EQ(run_in({"--pipe", "--as-pid2"}, {"sh", "-c", "echo $$"}).out, "2\n");
}

TEST_F(Run, StubInitReaps) {
    EXPECT_EQ(run_in({"--pipe", "--as-pid2"}, {"sh", "-c",
                                               "(sh -c 'exit 3' & exec sh -c 'exit 4') & wait; sleep 0.2;"
                                               "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l"})
                  .out,
              "0\n");
}

TEST_F(Run, TakesUserDirectoryEnvironmentAndHostName) {
    EXPECT_EQ(run_in({"--pipe", "--chdir=/etc", "-E", "A=b", "--hostname=other", "--user=root"},
                     {"sh", "-c", "pwd; echo $A; hostname; id -u; echo $USER"})
                  .out,
              "/etc\nb\nother\n0\nroot\n");
}

TEST_F(Run, UuidIsTheMachinesId) {
    const std::string id = "0123456789abcdef0123456789abcdef";
    EXPECT_EQ(run_in({"--pipe", "--uuid=" + id}, {"cat", "/run/host/container-uuid"}).out,
              "01234567-89ab-cdef-0123-456789abcdef\n");
}
