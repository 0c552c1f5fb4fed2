// SPDX-License-Identifier: LGPL-2.1-or-later
// Machines and commands on a terminal.
#include <signal.h>
#include <termios.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

constexpr const char *escape = "\x1d\x1d\x1d"; // ^]

class Console : public HostTest {
protected:
    [[nodiscard]] Words words(Words more, const Words &command) const {
        more.insert(more.begin(), {"-D", tree.path().native(), "-x"});
        return run_words("seen", more, command);
    }

    SmallTree tree;
};

/// A shell on a terminal that runs a program of ours and stays, so that the terminal does; what
/// the shell itself finds can be asked of it afterwards.
class Shell : public Process {
public:
    Shell() : Process({"sh"}, Stdio::terminal) {
        resize(31, 97);
        write("stty -echo; PS1=; PS2=; echo he''re\n"); // not to be found in the echo of this line
        wait_for("here\r\n");
    }

    /// Modes of the terminal.
    [[nodiscard]] termios modes() const {
        termios modes{};
        EXPECT_EQ(::tcgetattr(terminal(), &modes), 0);
        return modes;
    }
};

void expect_equal(const termios &a, const termios &b) {
    EXPECT_EQ(a.c_iflag, b.c_iflag);
    EXPECT_EQ(a.c_oflag, b.c_oflag);
    EXPECT_EQ(a.c_cflag, b.c_cflag);
    EXPECT_EQ(a.c_lflag, b.c_lflag);
    EXPECT_EQ(
        std::memcmp(static_cast<const void *>(a.c_cc), static_cast<const void *>(b.c_cc), sizeof a.c_cc), 0);
}

/// A variable of our environment for as long as it lives.
class ScopedVariable {
public:
    ScopedVariable(const char *name, const char *value) : name_(name) {
        if (const char *before = ::getenv(name)) // NOLINT(concurrency-mt-unsafe): one thread
            before_ = before;
        ::setenv(name, value, 1); // NOLINT(concurrency-mt-unsafe)
    }
    ScopedVariable(const ScopedVariable &) = delete;
    ScopedVariable &operator=(const ScopedVariable &) = delete;
    ~ScopedVariable() {
        if (before_)
            ::setenv(name_, before_->c_str(), 1); // NOLINT(concurrency-mt-unsafe)
        else
            ::unsetenv(name_); // NOLINT(concurrency-mt-unsafe)
    }

private:
    const char *name_;
    std::optional<std::string> before_;
};

/// One line for a shell.
std::string line(const Words &words) {
    std::string text;
    for (const std::string &word : words)
        text += "'" + word + "' ";
    return text;
}

} // namespace

TEST_F(Console, RunOnATerminalGivesATerminal) {
    Process process(words({}, {"sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo all"}),
                    Process::Stdio::terminal);
    EXPECT_EQ(process.wait(), 0);
    EXPECT_THAT(process.out(), AllOf(HasSubstr("/dev/pts/"), HasSubstr("all")));
}

TEST_F(Console, WindowSizeIsHandedOnAndFollowed) {
    const std::string watch = "trap 'stty size' WINCH; stty size; echo watching; while :; do sleep 0.1; done";
    Process process(words({}, {"sh", "-c", "read go; " + watch}), Process::Stdio::terminal);
    process.resize(33, 99);
    process.write("go\n");
    process.wait_for("33 99");
    process.wait_for("watching");
    process.resize(44, 111);
    process.wait_for("44 111");
    process.write(escape);
    EXPECT_NE(process.wait(), 0);
}

TEST_F(Console, InputReachesTheCommandAndSignalsItsTerminal) {
    Process process(
        words({"--as-pid2"},
              {"sh", "-c",
               "trap 'echo interrupted; exit 4' INT; read a; echo got $a; while :; do sleep 0.1; done"}),
        Process::Stdio::terminal);
    process.write("typed\n");
    process.wait_for("got typed");
    process.write("\x03");
    process.wait_for("interrupted");
    EXPECT_EQ(process.wait(), 4);
}

TEST_F(Console, ThreeEscapesKillTheMachine) {
    Process process(words({}, Machine::idle), Process::Stdio::terminal);
    process.wait_for("up");
    process.write("\x1d\x1d");
    process.write("x\x1d");
    EXPECT_FALSE(process.ended()) << "these were not three in a row";
    process.write(escape);
    EXPECT_EQ(process.wait(), 128 + SIGKILL);
}

TEST_F(Console, ModesAreRestoredAfterTheEnd) {
    Shell shell;
    const termios before = shell.modes();
    shell.write(line(words({}, {"sh", "-c", "echo inside; read x; exit 5"})) + "; echo status $?\n");
    shell.wait_for("inside");
    EXPECT_EQ(shell.modes().c_lflag & (ICANON | ISIG), 0U) << "raw while the machine has it";
    shell.write("\n");
    shell.wait_for("status 5");
    expect_equal(shell.modes(), before);
}

TEST_F(Console, ModesAreRestoredAfterSigterm) {
    Shell shell;
    const termios before = shell.modes();
    shell.write(line(words({}, Machine::idle)) + "; echo status $?\n");
    shell.wait_for("up");
    succeed({"pkill", "-TERM", "-P", std::to_string(shell.pid())});
    shell.wait_for("status 143");
    expect_equal(shell.modes(), before);
}

TEST_F(Console, ReadOnlyConsoleShowsAndTakesNothing) {
    Process process(words({"--console=read-only"}, {"sh", "-c", "echo up; read line && echo got $line"}),
                    Process::Stdio::terminal);
    process.wait_for("up");
    process.write("typed\n");
    EXPECT_FALSE(process.ended());
    berth_succeeds({"terminate", "seen"});
    process.wait();
    EXPECT_THAT(process.out(), Not(HasSubstr("got")));
}

TEST_F(Console, PassiveConsoleShowsNothing) {
    const Outcome outcome =
        run(words({"--console=passive"}, {"sh", "-c", "echo unseen; test -t 1 && exit 6"}));
    EXPECT_EQ(outcome.status, 6);
    EXPECT_EQ(outcome.out, "");
}

TEST_F(Console, WithoutATerminalOutputIsShownAndInputIgnored) {
    const Outcome outcome = run(words({}, {"sh", "-c", "test -t 1 && echo tty"}), "ignored\n");
    EXPECT_EQ(outcome.out, "tty\r\n");
    EXPECT_EQ(outcome.status, 0);
}

TEST_F(Console, AutopipeIsByWhatThereIs) {
    EXPECT_EQ(run(words({"--console=autopipe"}, {"cat"}), "piped\n").out, "piped\n");
    Process process(words({"--console=autopipe"}, {"tty"}), Process::Stdio::terminal);
    EXPECT_EQ(process.wait(), 0);
    EXPECT_THAT(process.out(), HasSubstr("/dev/pts/"));
}

TEST_F(Console, ExecOnATerminalGivesATerminal) {
    const Machine machine("seen", {"-D", tree.path(), "-x"});
    Process process({"berth", "exec", "seen", "sh", "-c", "tty; read go; stty size; exit 7"},
                    Process::Stdio::terminal);
    process.wait_for("/dev/pts/");
    process.resize(22, 88);
    process.write("go\n");
    EXPECT_EQ(process.wait(), 7);
    EXPECT_THAT(process.out(), HasSubstr("22 88"));
}

TEST_F(Console, ExecIsLeftByThreeEscapes) {
    const Machine machine("seen", {"-D", tree.path(), "-x"});
    Process process({"berth", "exec", "seen", "sh", "-c", "echo in; exec sleep 4343"},
                    Process::Stdio::terminal);
    process.wait_for("in");
    process.write(escape);
    EXPECT_NE(process.wait(), 0);
    EXPECT_TRUE(eventually([&] {
        return run({"sh", "-c", "grep -lsz ^4343$ /proc/[0-9]*/cmdline"}).out.empty();
    })) << "what was run goes with its terminal";
    EXPECT_EQ(machine.exec({"echo", "alive"}), "alive");
}

TEST_F(Console, ExecRestoresModes) {
    const Machine machine("seen", {"-D", tree.path(), "-x"});
    Shell shell;
    const termios before = shell.modes();
    shell.write("berth exec seen sh -c 'echo inside; read x; exit 5'; echo status $?\n");
    shell.wait_for("inside");
    EXPECT_EQ(shell.modes().c_lflag & (ICANON | ISIG), 0U);
    shell.write("\n");
    shell.wait_for("status 5");
    expect_equal(shell.modes(), before);

    shell.write("berth exec seen sh -c 'echo inside; sleep infinity'; echo status $?\n");
    shell.wait_for("inside");
    succeed({"pkill", "-TERM", "-P", std::to_string(shell.pid())});
    shell.wait_for("status 143");
    expect_equal(shell.modes(), before);
}

TEST_F(Console, ExecWithPipeOnATerminalHasOneOfItsOwn) {
    const Machine machine("seen", {"-D", tree.path(), "-x"});
    Process process(
        {"berth", "exec", "--pipe", "seen", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && tty"},
        Process::Stdio::terminal);
    process.wait();
    EXPECT_THAT(process.out(), HasSubstr("/dev/pts/"));
}

TEST_F(Console, ShellIsAShellOnATerminal) {
    const Machine machine("seen", {"-D", tree.path(), "-x"});
    Process process({"berth", "shell", "seen"}, Process::Stdio::terminal);
    process.wait_for("Press ^] three times");
    process.write("echo in $((6*7)); hostname; exit 3\n");
    process.wait_for("in 42");
    EXPECT_EQ(process.wait(), 3);
    EXPECT_THAT(process.out(), HasSubstr("seen"));
}

TEST_F(Console, BootedMachineHasItsConsoleOnOurs) {
    Process process(words({"--boot"}, {"ready"}), Process::Stdio::terminal);
    process.wait_for("test init is up");
    process.write(escape);
    process.wait();
}

TEST_F(Console, BackgroundIsShownAsLongAsTheMachineRuns) {
    const ScopedVariable terminal("TERM", "xterm");
    Shell shell;
    shell.write(line(words({"--background=48;2;0;0;64"},
                           {"sh", "-c", "printf \"a\\033[0mb\\033[31mc\\033[md\"; read x; exit 5"}))
                + "; echo status $?\n");
    shell.wait_for("\33[48;2;0;0;64m\33[Ka\33[0;48;2;0;0;64mb\33[31mc\33[;48;2;0;0;64md");
    shell.write("\n");
    EXPECT_THAT(shell.wait_for("status 5"), HasSubstr("\33[0m\33[Jstatus"));
}

TEST_F(Console, BackgroundGoesAfterSignals) {
    const ScopedVariable terminal("TERM", "xterm");
    for (const char *signal : {"-TERM", "-INT", "-HUP", "-QUIT"}) {
        Shell shell;
        shell.write(line(words({"--background=44"}, Machine::idle)) + "; echo status $?\n");
        shell.wait_for("\33[44m\33[Kup");
        succeed({"pkill", signal, "-P", std::to_string(shell.pid())});
        EXPECT_THAT(shell.wait_for("status 1"), HasSubstr("\33[0m\33[J")) << signal;
    }
    Process process(words({"--background=44"}, Machine::idle), Process::Stdio::terminal);
    process.wait_for("up");
    process.write(escape);
    EXPECT_EQ(process.wait(), 128 + SIGKILL);
    EXPECT_THAT(process.out(), testing::EndsWith("\33[0m\33[J"));
}

TEST_F(Console, BackgroundGoesWhileItIsStopped) {
    const ScopedVariable terminal("TERM", "xterm");
    Shell shell;
    shell.write("set -m; " + line(words({"--background=44"}, Machine::idle)) + "; echo stopped $?\n");
    shell.wait_for("\33[44m\33[Kup");
    succeed({"pkill", "-TSTP", "-P", std::to_string(shell.pid())});
    EXPECT_THAT(shell.wait_for("stopped 14"), HasSubstr("\33[0m\33[J")); // 128 + SIGSTOP or SIGTSTP
    shell.write("fg >/dev/null; echo status $?\n");
    shell.wait_for("\33[44m\33[K");
    succeed({"pkill", "-TERM", "-P", std::to_string(shell.pid())});
    shell.wait_for("status 143");
}

TEST_F(Console, NothingIsColouredWhereNobodyWantsIt) {
    const auto shown = [this](const Words &options) {
        Process process(words(options, {"printf", "<\\033[0m>"}), Process::Stdio::terminal);
        EXPECT_EQ(process.wait(), 0);
        return process.out();
    };
    const std::string plain = "<\33[0m>";
    {
        const ScopedVariable terminal("TERM", "xterm");
        EXPECT_EQ(shown({"--background=44"}), "\33[44m\33[K<\33[0;44m>\33[0m\33[J");
        EXPECT_EQ(shown({"--background=44", "--console=read-only"}), "\33[44m\33[K<\33[0;44m>\33[0m\33[J");
        EXPECT_EQ(shown({"--background="}), plain);
        EXPECT_EQ(shown({"--background=44", "--background="}), plain);
        EXPECT_EQ(shown({}), plain);
        EXPECT_EQ(shown({"--background=44", "--console=pipe"}), plain);
        EXPECT_EQ(shown({"--background=44", "--console=passive"}), "");
        EXPECT_EQ(run(words({"--background=44"}, {"printf", "<\\033[0m>"})).out, plain) << "no terminal";
        const ScopedVariable no_colour("NO_COLOR", "1");
        EXPECT_EQ(shown({"--background=44"}), plain);
    }
    for (const char *type : {"dumb", ""}) {
        const ScopedVariable terminal("TERM", type);
        EXPECT_EQ(shown({"--background=44"}), plain);
    }
}

TEST_F(Console, AFloodOfTextIsColouredWhole) {
    const ScopedVariable terminal("TERM", "xterm");
    Process process(
        words({"--background=44"},
              {"sh", "-c", "i=0; while [ $i -lt 20000 ]; do printf '\\033[mx'; i=$((i+1)); done"}),
        Process::Stdio::terminal);
    EXPECT_EQ(process.wait(), 0);
    std::string wanted = "\33[44m\33[K";
    for (int i = 0; i < 20000; ++i)
        wanted += "\33[;44mx";
    EXPECT_TRUE(process.out() == wanted + "\33[0m\33[J");
}
