// SPDX-License-Identifier: LGPL-2.1-or-later
// What a machine's first process can do to those who join the machine: with system call filters that lie,
// with paths that lead back to the host, by what it sees of their programs and terminals.
#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>

#include <csignal>
#include <thread>

#include "base/format.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "join/join.hpp"
#include "kernel/capabilities.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
namespace fs = std::filesystem;

namespace {

class ReachJoin : public OptionTest {
protected:
    /// The options of a machine on the tree.
    [[nodiscard]] Words on_tree(Words more) const {
        more.insert(more.begin(), {"-D", tree.path().native(), "-x"});
        return more;
    }
};

/// A file at the host's root, which no machine shows.
class HostMark {
public:
    HostMark() : file_("/berth-host-mark", "of the host\n") {}

private:
    HostFile file_;
};

constexpr const char *leave = "cat ../../../../../../berth-host-mark 2>/dev/null; pwd";

} // namespace

TEST_F(ReachJoin, SystemCallsThatOnlySeemToWorkGiveNoRights) {
    const Words calls{"setresuid", "setresgid", "setgroups", "capset", "prctl"};
    for (const Words &options :
         {Words{"-U"}, Words{"-U", "--drop-capability=CAP_SYS_PTRACE"}, Words{"-U", "--no-new-privileges"}}) {
        Words command{"/usr/sbin/init", "lie"};
        command.insert(command.end(), calls.begin(), calls.end());
        const Machine machine("options-lying", on_tree(options), command);
        const Outcome outcome = run({"berth", "exec", "options-lying", "cat", "/proc/self/status"});
        ASSERT_EQ(outcome.status, 0) << outcome.err;
        const std::string ids = "\t0\t0\t0\t0\n"; // 65534 would be the host's root
        EXPECT_THAT(outcome.out, AllOf(HasSubstr("\nUid:" + ids), HasSubstr("\nGid:" + ids),
                                       HasSubstr("\nSeccomp:\t2\n")));
        EXPECT_THAT(outcome.out, HasSubstr("\nSeccomp_filters:\t"
                                           + status_field(machine.leader(), "Seccomp_filters") + "\n"))
            << "the filter that lies, too";
        for (const char *key : {"NoNewPrivs", "CapBnd"})
            EXPECT_THAT(outcome.out,
                        HasSubstr(berth::format("\n{}:\t{}\n", key, status_field(machine.leader(), key))));
        EXPECT_THAT(outcome.out, HasSubstr("\nCapEff:\t" + status_field(machine.leader(), "CapBnd") + "\n"));
    }
}

TEST_F(ReachJoin, WhatIsNotGivenUpIsSeenFromOutside) {
    // The filters need CAP_SYS_ADMIN, which this user does not have and which is given up after them.
    const Machine machine("options-lying", on_tree({"-U"}), {"/usr/sbin/init", "lie", "capset"});
    const Outcome outcome = run({"berth", "exec", "--uid=1000", "options-lying", "true"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("has capabilities that it should not have"));
}

TEST_F(ReachJoin, NoCommandRunsInTheSessionOrThePidNamespaceOfTheHost) {
    struct Row {
        const char *call;
        const char *said;
        bool terminal;
    };
    for (const Row &row : {Row{"setsid", "no session of its own", false}, Row{"clone3", "", false},
                           Row{"ioctl", "no session of its own", true}}) {
        const Machine machine("options-lying", on_tree({"-U"}), {"/usr/sbin/init", "lie", row.call});
        Words command{"berth", "exec", "options-lying", "sh", "-c", "echo it' 'ran"};
        if (row.terminal)
            command.insert(command.begin() + 2, "--pty");
        Process joining(command);
        EXPECT_EQ(joining.wait(), 1) << row.call;
        EXPECT_THAT(joining.out(), Not(HasSubstr("it ran"))) << row.call;
        EXPECT_THAT(joining.err(), AllOf(HasSubstr("berth: "), HasSubstr(row.said))) << row.call;
    }
}

namespace {

/// The process that is to become `cat`, still ours, of those in the machine's control groups; 0 for none.
pid_t process_to_be(const fs::path &unit) {
    for (const auto &entry : fs::recursive_directory_iterator(unit)) {
        if (!entry.is_directory() || !entry.path().filename().native().starts_with("exec-"))
            continue;
        for (const std::string &line : berth::split(text_of(entry.path() / "cgroup.procs"), '\n'))
            // In the machine's pid namespace: two numbers.
            if (const auto pid = berth::parse_unsigned(line);
                pid && berth::split(status_field(static_cast<pid_t>(*pid), "NSpid"), '\t').size() > 1)
                return static_cast<pid_t>(*pid);
    }
    return 0;
}

} // namespace

TEST_F(ReachJoin, ACommandThatJoinsHoldsNothingOfTheHosts) {
    // Root of a machine without users of its own can trace what it sees in its pid namespace.
    const Machine machine("options-held", on_tree({"--drop-capability=CAP_SYS_RESOURCE"}));
    const fs::path unit = machine.cgroup().parent_path();
    Words words = under_strace({"-f", "--trace=execve", "--inject=execve:delay_enter=3s"});
    words.insert(words.begin(), {"env", "SECRET_OF_THE_HOST=1"});
    words.insert(words.end(), {"berth", "exec", "options-held", "/bin/cat"});
    Process joining(words);
    pid_t pid = 0;
    ASSERT_TRUE(eventually([&] { return (pid = process_to_be(unit)) != 0; }, std::chrono::seconds(20)));
    EXPECT_THAT(text_of(berth::format("/proc/{}/comm", pid)), Not(HasSubstr("cat")))
        << "it is to be looked at before";
    for (const auto &entry : fs::directory_iterator(berth::format("/proc/{}/fd", pid))) {
        const std::string shown = fs::read_symlink(entry.path());
        EXPECT_TRUE(shown.starts_with("pipe:") || shown.starts_with("socket:"))
            << entry.path() << " " << shown;
    }
    EXPECT_THAT(text_of(berth::format("/proc/{}/environ", pid)), Not(HasSubstr("SECRET_OF_THE_HOST")));
    for (const char *set : {"CapPrm", "CapEff", "CapBnd"})
        EXPECT_EQ(status_field(pid, set), status_field(machine.leader(), "CapBnd")) << set;
    EXPECT_THAT(text_of(berth::format("/proc/{}/comm", pid)), testing::StartsWith("berth")) << "nor later";
    joining.close_input();
    EXPECT_EQ(joining.wait(), 0) << joining.err();
}

TEST_F(ReachJoin, AWorkingDirectoryOfTheMachinesChoiceIsInTheMachine) {
    const HostMark mark;
    std::string passwd = "root::0:0:root:/root:/bin/sh\n";
    for (int fd = 0; fd < 24; ++fd)
        passwd += berth::format(
            "u{0}:x:{1}:{1}::/proc/self/fd/{0}:/bin/sh\nl{0}:x:{1}:{1}::/links/{0}:/bin/sh\n", fd, 1000 + fd);
    tree.write("etc/passwd", passwd);
    fs::create_directory(tree / "links");
    for (int fd = 0; fd < 24; ++fd)
        fs::create_symlink(berth::format("/proc/self/fd/{}", fd), tree / berth::format("links/{}", fd));
    for (const Words &options : {Words{"-U"}, Words{}}) {
        const Machine machine("options-home", on_tree(options));
        for (int fd = 0; fd < 24; ++fd)
            for (const char letter : {'u', 'l'}) {
                const Outcome outcome = run({"berth", "shell", berth::format("{}{}@options-home", letter, fd),
                                             "/bin/sh", "-c", leave});
                EXPECT_EQ(outcome.status, 0) << outcome.err;
                EXPECT_EQ(outcome.out, "/\n") << letter << fd;
                const Outcome asked = run({"berth", "exec", berth::format("--chdir=/links/{}", fd),
                                           "options-home", "sh", "-c", leave});
                EXPECT_NE(asked.status, 0) << fd;
                EXPECT_THAT(asked.out, Not(HasSubstr("of the host"))) << fd;
            }
    }
}

TEST_F(ReachJoin, AMachineStartsInADirectoryOfItsOwn) {
    const HostMark mark;
    fs::create_directory(tree / "links");
    for (int fd = 0; fd < 32; ++fd) {
        const std::string link = berth::format("/links/{}", fd);
        fs::create_symlink(berth::format("/proc/self/fd/{}", fd), tree / link.substr(1));
        for (const char *more : {"-U", "--private-users=no"}) {
            const Outcome outcome = run(words({"-x", more, "--chdir=" + link}, {"sh", "-c", leave}));
            EXPECT_EQ(outcome.status, 1) << link << more;
            EXPECT_THAT(outcome.out, Not(HasSubstr("of the host"))) << link << more;
        }
    }
    // What is handed on may be a directory of the host's.
    for (const char *more : {"-U", "--private-users=no"}) {
        std::string line;
        for (const std::string &word : words({"-x", more, "--chdir=/links/0"}, {"pwd"}))
            line += "'" + word + "' ";
        const Outcome outcome = run({"sh", "-c", line + "</"});
        EXPECT_EQ(outcome.status, 1) << more;
        EXPECT_THAT(outcome.err, HasSubstr("/links/0")) << more;
        EXPECT_EQ(outcome.out, "") << more;
    }
}

TEST_F(ReachJoin, AFirstProcessThatWaitsForItsChildHoldsNobodyUp) {
    const Machine machine("options-waits", on_tree({}), {"/usr/sbin/init", "vfork"});
    Process joining({"berth", "exec", "options-waits", "true"});
    EXPECT_TRUE(eventually([&] { return joining.ended(); }, std::chrono::seconds(30)));
    EXPECT_EQ(joining.wait(), 1);
    EXPECT_THAT(joining.err(), AllOf(HasSubstr("system call filters"), HasSubstr("timed out")));
    berth_succeeds({"bind", "options-waits", dir.path(), "/mnt/bound", "--mkdir"});
    berth_succeeds({"unbind", "options-waits", "/mnt/bound"});
}

TEST_F(ReachJoin, NamespacesThatChangeBeforeTheyAreJoinedAreSeen) {
    const Machine machine("options-moves", on_tree({}), {"/usr/sbin/init", "unshare"});
    const berth::unique_fd leader = berth::pidfd::open(machine.leader());
    const berth::join::Target target = berth::join::look_at(leader.get(), berth::join::Look::to_run);
    const auto network = [&] { return fs::read_symlink(berth::format("/proc/{}/ns/net", machine.leader())); };
    const fs::path before = network();
    berth::pidfd::send_signal(leader.get(), SIGUSR2);
    ASSERT_TRUE(eventually([&] { return network() != before; }));
    berth::join::Command command;
    command.words = {"true"};
    try {
        berth::join::Process process = berth::join::start(target, command, {});
        ADD_FAILURE() << "it ran, with status " << process.wait();
    } catch (const berth::Error &error) {
        EXPECT_THAT(error.what(), HasSubstr("into another net namespace"));
    }
}

namespace {

/// Errno of changing the mode of a file to what it is.
int error_of_chmod(const std::string &path) {
    struct stat st{};
    if (::stat(path.c_str(), &st) < 0)
        return errno;
    return ::chmod(path.c_str(), st.st_mode & 07777U) < 0 ? errno : 0;
}

} // namespace

TEST_F(ReachJoin, ProgramsThatEnterMachinesCannotBeWrittenThroughThem) {
    const Machine machine("options-seen", on_tree({}));
    Process joining({"berth", "exec", "options-seen", "sh", "-c", "echo up; exec sleep 1000"});
    joining.wait_for("up");
    Process entering({"berth", "ns", "enter", "options-seen", "--", "sh", "-c", "echo up; exec sleep 1000"});
    entering.wait_for("up");
    for (const Process *process : {&joining, &entering})
        EXPECT_EQ(error_of_chmod(berth::format("/proc/{}/exe", process->pid())), EROFS);
    // However they are started.
    Process direct(
        {"/usr/libexec/berth/berth-exec", "exec", "options-seen", "sh", "-c", "echo up; sleep 1000"});
    direct.wait_for("up");
    EXPECT_EQ(error_of_chmod(berth::format("/proc/{}/exe", direct.pid())), EROFS);
}

TEST_F(ReachJoin, TheLauncherCannotBeWrittenThroughTheSmallInit) {
    for (const char *users : {"--private-users=no", "--private-users=identity"}) {
        const std::string said =
            inside({"-x", "--as-pid2", users}, "chmod 755 /proc/1/exe 2>&1 && echo written || true");
        EXPECT_THAT(said, testing::AnyOf(HasSubstr("Read-only file system"), HasSubstr("Permission denied"),
                                         HasSubstr("Operation not permitted")))
            << users;
    }
    EXPECT_THAT(inside({"-x", "--as-pid2"}, "chmod 755 /proc/1/exe 2>&1 || true"),
                HasSubstr("Read-only file system"));
}

namespace {

/// A shell's line that says which file stdin, stdout or stderr is.
std::string which(int fd, const char *word) {
    return berth::format("stat -L -c \"{} %d:%i\" /proc/self/fd/{}", word, fd);
}

/// What comes after `word` in a text with lines of a terminal.
std::string said(const std::string &text, const std::string &word) {
    const auto at = text.rfind(word + " ");
    return at == std::string::npos ? ""
                                   : text.substr(at, text.find_first_of("\r\n", at) - at).substr(word.size());
}

} // namespace

TEST_F(ReachJoin, OurTerminalIsHandedToNoMachine) {
    const Machine machine("options-tty", on_tree({"-U"}));
    for (const char *join : {"berth exec options-tty", "berth ns enter options-tty --"}) {
        Process piped({"sh", "-c",
                       which(0, "ours") + "; " + join + " sh -c '" + which(0, "its")
                           + "; read line; echo got $line' | cat"},
                      Process::Stdio::terminal);
        piped.write("a line\n");
        piped.wait_for("got a line");
        EXPECT_EQ(piped.wait(), 0) << piped.out();
        EXPECT_NE(said(piped.out(), "its"), "") << join << piped.out();
        EXPECT_NE(said(piped.out(), "its"), said(piped.out(), "ours")) << join;

        Process errors({"sh", "-c",
                        which(2, "ours") + "; " + join + " sh -c '" + which(2, "its")
                            + "; echo one >&2; echo two; echo three >&2' </dev/null"},
                       Process::Stdio::terminal);
        EXPECT_EQ(errors.wait(), 0);
        EXPECT_NE(said(errors.out(), "its"), "") << join << errors.out();
        EXPECT_NE(said(errors.out(), "its"), said(errors.out(), "ours")) << join;
        EXPECT_THAT(errors.out(), HasSubstr("one\r\ntwo\r\nthree\r\n"));
    }
}

TEST_F(ReachJoin, NorToOneThatIsRunWithPipes) {
    std::string line;
    for (const std::string &word : words({"-x", "-U"}, {}))
        line += "'" + word + "' ";
    Process piped({"sh", "-c",
                   which(0, "ours") + "; " + line + "sh -c '" + which(0, "its")
                       + "; read line; echo got $line; echo e >&2' | cat"},
                  Process::Stdio::terminal);
    piped.write("a line\n");
    piped.wait_for("got a line");
    EXPECT_EQ(piped.wait(), 0);
    EXPECT_NE(said(piped.out(), "its"), "") << piped.out();
    EXPECT_NE(said(piped.out(), "its"), said(piped.out(), "ours"));
    EXPECT_THAT(piped.out(), HasSubstr("\ne\r"));
    // On a terminal alone, it has one of its own; what leads elsewhere stays.
    const fs::path log = dir / "log";
    Process whole({"sh", "-c", line + "sh -c 'tty; echo apart >&2' 2>" + log.native()},
                  Process::Stdio::terminal);
    EXPECT_EQ(whole.wait(), 0) << whole.out();
    EXPECT_THAT(whole.out(), HasSubstr("/dev/"));
    EXPECT_THAT(text_of(log), HasSubstr("apart\n"));
}

TEST_F(ReachJoin, WhatIsTypedIsForWhoeverReadsIt) {
    const Machine machine("options-tty", on_tree({}));
    Process shell({"sh"}, Process::Stdio::terminal);
    shell.write("PS1=; berth exec options-tty sleep 1 | cat; echo ended\n");
    shell.write("echo 'for the ''shell'\n");
    shell.wait_for("\nfor the shell");
    // Echo is the command's to turn off, and comes back.
    shell.write("x=$(berth exec options-tty sh -c 'echo asked >&2; read -s p; echo $p'); echo \"got $x\"\n");
    shell.wait_for("\nasked");
    EXPECT_TRUE(eventually([&] {
        termios modes{};
        return ::tcgetattr(shell.terminal(), &modes) == 0 && (modes.c_lflag & ECHO) == 0;
    }));
    shell.write("hidden\n");
    EXPECT_THAT(shell.wait_for("got hidden"), Not(HasSubstr("hidden\r\n")));
    termios modes{};
    EXPECT_EQ(::tcgetattr(shell.terminal(), &modes), 0);
    EXPECT_NE(modes.c_lflag & ECHO, 0U);
    // The end of input is one for the command.
    shell.write("berth exec options-tty wc -c | cat; echo counted\n12345\n");
    shell.wait_for("12345\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(300)); // until it waits again
    shell.write("\4");
    shell.wait_for("6\r\ncounted");
    shell.write("exit\n");
    shell.wait();
}

TEST_F(ReachJoin, WhoReadsItsTerminalByNameIsToldWhatIsTyped) {
    const Machine machine("options-tty", on_tree({}));
    Process shell({"sh"}, Process::Stdio::terminal);
    // As sudo(8) asks for a password, whatever its stdin is.
    shell.write("PS1=; echo piped | berth exec options-tty sh -c "
                "'stty -echo </dev/tty; echo asked >/dev/tty; read -r p </dev/tty; stty echo </dev/tty; cat; "
                "echo got $p'; echo ended\n");
    shell.wait_for("asked\r\n");
    EXPECT_TRUE(eventually([&] {
        termios modes{};
        return ::tcgetattr(shell.terminal(), &modes) == 0 && (modes.c_lflag & ECHO) == 0;
    }));
    shell.write("hidden\n");
    const std::string said = shell.wait_for("ended\r\n");
    EXPECT_THAT(said,
                AllOf(HasSubstr("piped\r\n"), HasSubstr("\ngot hidden"), Not(HasSubstr("hidden\r\npiped"))));
    // Not where nothing to read was meant for it, as for what a script runs in the background.
    shell.write(
        "berth exec options-tty sh -c 'read -r p </dev/tty; echo got $p' </dev/null & pid=$!; read x; "
        "echo \"script $x\"; kill $pid; wait; echo no''thing\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(500)); // until it waits for it
    shell.write("for the script\n");
    EXPECT_THAT(shell.wait_for("\nnothing"),
                AllOf(HasSubstr("script for the script"), Not(HasSubstr("got for"))));
    // Also when for a while nobody has it open.
    shell.write(
        "berth exec options-tty sh -c 'exec 2>/dev/null; sleep 0.3; echo late >/dev/tty' </dev/null | "
        "cat; echo ov''er\n");
    EXPECT_THAT(shell.wait_for("\nover\r\n"), HasSubstr("late\r\n"));
    shell.write("exit\n");
    shell.wait();
}

TEST_F(ReachJoin, NothingOfTheCommandsTerminalKeepsUsBusyForGood) {
    const Machine machine("options-tty", on_tree({}));
    // Changes of modes are told to us even when nothing is written; several keep up with who reads of them.
    Process process(
        {"sh", "-c",
         "berth exec options-tty sh -c '(trap \"\" HUP; while stty -echo && stty echo; do :; done) "
         "<&2 & sleep 0.3; exit 3' </dev/null"},
        Process::Stdio::terminal);
    EXPECT_EQ(process.wait(), 3);
}

TEST_F(ReachJoin, WhatACommandLeavesBehindHoldsNobodyUp) {
    const Machine machine("options-tty", on_tree({}));
    Process process({"berth", "exec", "options-tty", "sh", "-c", "(trap '' HUP; yes) & sleep 0.2; exit 3"},
                    Process::Stdio::terminal);
    EXPECT_EQ(process.wait(), 3);
    Process piped(
        {"sh", "-c", "berth exec options-tty sh -c '(trap \"\" HUP; yes) & sleep 0.2; exit 3' </dev/null"},
        Process::Stdio::terminal);
    EXPECT_EQ(piped.wait(), 3);
}

TEST_F(ReachJoin, SignalsReachWhatTheCommandHasStarted) {
    const Machine machine("options-group", on_tree({}));
    for (const char *join : {"exec", "ns enter"}) {
        Words words{"berth"};
        for (const std::string &word : berth::split(join, ' '))
            words.push_back(word);
        words.emplace_back("options-group");
        if (words[1] == "ns")
            words.emplace_back("--");
        words.insert(words.end(), {"sh", "-c", "echo up; sleep 12345; true"});
        Process process(words);
        process.wait_for("up");
        EXPECT_TRUE(eventually([] { return run({"pgrep", "-f", "^sleep 12345"}).status == 0; })) << join;
        process.send_signal(SIGTERM);
        EXPECT_EQ(process.wait(), 128 + SIGTERM) << join;
        EXPECT_TRUE(eventually([] { return run({"pgrep", "-f", "^sleep 12345"}).status != 0; })) << join;
    }
    Process ignoring({"nohup", "berth", "exec", "options-group", "sh", "-c", "echo up; sleep 1; echo still"});
    ignoring.wait_for("up");
    ignoring.send_signal(SIGHUP);
    EXPECT_EQ(ignoring.wait(), 0);
    EXPECT_THAT(ignoring.out(), HasSubstr("still"));
}

TEST_F(ReachJoin, WhoEntersNamespacesHasNoMoreThanThoseInThem) {
    const Machine machine("options-entered", on_tree({"-U", "--drop-capability=CAP_SYS_ADMIN,CAP_NET_RAW"}));
    const std::string look =
        "grep -E 'CapBnd|Seccomp:' /proc/self/status; cat /proc/self/cgroup; echo $SECRET";
    ::setenv("SECRET", "of the host", 1); // NOLINT(concurrency-mt-unsafe): one thread
    const std::string entered = succeed({"berth", "ns", "enter", "options-entered", "--", "sh", "-c", look});
    // Not the mount namespace: the kernel may not let it be held here, whatever its age.
    berth_succeeds({"ns", "hold", "held-entered", "options-entered", "--kind=user,pid"});
    const std::string held = succeed({"berth", "ns", "enter", "held-entered", "--", "sh", "-c", look});
    ::unsetenv("SECRET"); // NOLINT(concurrency-mt-unsafe)
    berth_succeeds({"ns", "release", "held-entered"});
    EXPECT_THAT(entered, HasSubstr("CapBnd:\t" + status_field(machine.leader(), "CapBnd")));
    EXPECT_THAT(entered, HasSubstr("Seccomp:\t2"));
    EXPECT_THAT(entered, HasSubstr("0::/../exec-")) << "the machine's unit, and so its devices and limits";
    EXPECT_THAT(entered, Not(HasSubstr("of the host")));
    EXPECT_THAT(held,
                HasSubstr(berth::format("CapBnd:\t{:016x}\n", berth::capabilities::default_bounding(true))))
        << "what any machine may have at most";
    EXPECT_THAT(held, Not(HasSubstr("of the host")));
    EXPECT_THAT(held, HasSubstr("Seccomp:\t2"));
}
