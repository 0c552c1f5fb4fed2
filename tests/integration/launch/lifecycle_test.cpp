// SPDX-License-Identifier: LGPL-2.1-or-later
// How machines end, and that they can be started again at once.
#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/io.hpp"
#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class Lifecycle : public HostTest {
protected:
    [[nodiscard]] Words on_tree(Words more = {}) const {
        more.insert(more.begin(), {"-D", tree.path().native(), "-x"});
        return more;
    }
    [[nodiscard]] std::string toml() const {
        return "[root]\ndirectory = \"" + tree.path().native() + "\"\nupper = \"ephemeral\"\n";
    }

    /// Takes away what a killed launcher left: where sockets are shown on the host.
    void start_again() const {
        EXPECT_EQ(run(run_words("mortal", on_tree({"--boot"}), {"exit", "0"})).status, 0);
    }

    SmallTree tree;
};

/// Sees that a machine is gone from the list, and its name unknown.
void expect_gone(const std::string &name) {
    EXPECT_THAT(listed(), Not(Contains(name)));
    EXPECT_EQ(try_berth({"show", name}).status, 1);
}

} // namespace

TEST_F(Lifecycle, CommandThatEndsEndsTheMachine) {
    Machine machine("mortal", on_tree({"--pipe"}), {"sh", "-c", "echo up; read line; exit 3"});
    machine.launcher().write("go\n");
    EXPECT_EQ(machine.launcher().wait(), 3);
    expect_gone("mortal");
}

TEST_F(Lifecycle, PowerOffEndsABootedMachine) {
    Machine machine("mortal", on_tree({"--boot"}), {"ready"});
    berth_succeeds({"poweroff", "mortal"});
    EXPECT_EQ(machine.launcher().wait(), 0);
    expect_gone("mortal");
}

TEST_F(Lifecycle, RebootFromOutsideBootsAnew) {
    Machine machine("mortal", on_tree({"--boot"}), {"ready"});
    const std::string id = machine.property("Id");
    const pid_t leader = machine.leader();
    berth_succeeds({"reboot", "mortal"});
    machine.launcher().wait_for("test init is up");
    EXPECT_NE(machine.leader(), leader);
    EXPECT_EQ(machine.property("Id"), id);
    EXPECT_EQ(machine.exec({"cat", "/boots"}), "boot\nboot");
    berth_succeeds({"poweroff", "mortal"});
    EXPECT_EQ(machine.launcher().wait(), 0);
}

TEST_F(Lifecycle, ManyRebootsInARow) {
    Machine machine("mortal", on_tree({"--boot"}), {"ready"});
    for (int i = 0; i < 20; ++i) {
        berth_succeeds({"reboot", "mortal"});
        machine.launcher().wait_for("test init is up");
    }
    berth_succeeds({"poweroff", "mortal"});
    EXPECT_EQ(machine.launcher().wait(), 0) << machine.launcher().err();
}

TEST_F(Lifecycle, HaltFromInsideEndsTheMachine) {
    Machine machine("mortal", on_tree({"--as-pid2"}), {"sh", "-c", "echo up; poweroff -f; sleep infinity"});
    EXPECT_EQ(machine.launcher().wait(), 0);
    expect_gone("mortal");
}

TEST_F(Lifecycle, TerminateIsOverWhenItReturns) {
    Machine machine("mortal", on_tree());
    const std::string proc = "/proc/" + std::to_string(machine.leader());
    berth_succeeds({"terminate", "mortal"});
    expect_gone("mortal");
    EXPECT_NE(::access((proc + "/ns/pid").c_str(), F_OK), 0) << "the leader is there yet";
    EXPECT_EQ(machine.launcher().wait(), 128 + SIGKILL);
}

TEST_F(Lifecycle, TerminateEndsAServiceForGood) {
    Service machine("mortal", toml());
    machine.start();
    berth_succeeds({"terminate", "mortal"});
    expect_gone("mortal");
    EXPECT_EQ(machine.unit_property("ActiveState"), "inactive");
    EXPECT_EQ(machine.unit_property("NRestarts"), "0");
}

TEST_F(Lifecycle, PowerOffFromInsideEndsAService) {
    Service machine("mortal", toml());
    machine.start();
    berth_succeeds({"poweroff", "mortal"});
    ASSERT_TRUE(eventually([&] { return machine.unit_property("ActiveState") == "inactive"; }))
        << machine.unit_property("ActiveState");
    EXPECT_EQ(machine.unit_property("Result"), "success");
}

TEST_F(Lifecycle, StoppingAServiceShutsItsMachineDown) {
    Service machine("mortal", toml());
    machine.start();
    machine.stop();
    EXPECT_EQ(machine.unit_property("Result"), "success");
    EXPECT_EQ(machine.unit_property("ExecMainStatus"), "0") << "halted as it was asked, not killed";
    expect_gone("mortal");
}

TEST_F(Lifecycle, KillSendsAnySignalToLeaderOrAll) {
    Machine machine("mortal", on_tree({"--pipe", "--as-pid2"}),
                    {"sh", "-c", "trap 'echo hup' HUP; echo up; while :; do sleep 0.1; done"});
    berth_succeeds({"kill", "--signal=HUP", "mortal"});
    machine.launcher().wait_for("hup");
    berth_succeeds({"kill", "--signal=KILL", "--kill-whom=leader", "mortal"});
    EXPECT_EQ(machine.launcher().wait(), 128 + SIGKILL);
    expect_gone("mortal");
}

TEST_F(Lifecycle, KillingALauncherEndsItsMachine) {
    Machine machine("mortal", on_tree());
    const auto leader = machine.leader();
    machine.launcher().send_signal(SIGKILL);
    EXPECT_EQ(machine.launcher().wait(), 128 + SIGKILL);
    EXPECT_TRUE(eventually(
        [&] { return ::access(("/proc/" + std::to_string(leader) + "/ns/pid").c_str(), F_OK) != 0; }));
    EXPECT_TRUE(eventually([] { return listed().empty(); }));
}

TEST_F(Lifecycle, KillingALauncherEndsABootedMachine) {
    Machine machine("mortal", on_tree({"--boot"}), {"ready"});
    machine.launcher().send_signal(SIGKILL);
    machine.launcher().wait();
    EXPECT_TRUE(eventually([] { return listed().empty(); }));
    start_again();
}

TEST_F(Lifecycle, KillingALauncherAtAnyStepLeavesNothing) {
    for (int step = 0; step < 40; ++step) {
        Process launcher(run_words("mortal", on_tree({"--bind=/etc:/mnt", "--boot"}), {"ready"}));
        // Not a wait for anything: each turn strikes a little later.
        ::usleep(static_cast<useconds_t>(step) * 1000);
        launcher.send_signal(SIGKILL);
        launcher.wait();
    }
    EXPECT_TRUE(eventually([] { return listed().empty(); }));
    start_again();
}

TEST_F(Lifecycle, SocketsOfAMachineAreShownOnTheHost) {
    const std::string place = "/run/systemd/nspawn/unix-export/exporter";
    for (const char *users : {"--private-users=no", "--private-users=131072"}) {
        Machine machine("exporter", on_tree({"--boot", users}), {"ready"});
        machine.exec({"sh", "-c",
                      "cd /run/host/unix-export; mkfifo here; echo content > file; ln -s /etc/passwd link"});
        EXPECT_EQ(berth::read_file(place + "/file"), "content\n");
        EXPECT_EQ(owner_of(place + "/here"),
                  std::string(users).ends_with("no") ? "0:0 644" : "131072:131072 644");
        EXPECT_EQ(::open((place + "/link").c_str(), O_RDONLY | O_CLOEXEC), -1);
        EXPECT_EQ(errno, ELOOP);
        // Another of its name, which fails later, does not take it away.
        const Outcome other = run(run_words("exporter", on_tree({"--boot", "--register=no"}), {"exit", "0"}));
        EXPECT_EQ(other.status, 1) << other.err;
        EXPECT_EQ(berth::read_file(place + "/file"), "content\n");
    }
    EXPECT_FALSE(fs::exists(place));
}

TEST_F(Lifecycle, TerminationSignalIsPassedOnAndThenInsistedOn) {
    Machine polite("polite", on_tree({"--boot"}), {"ready"});
    polite.launcher().send_signal(SIGTERM);
    EXPECT_EQ(polite.launcher().wait(), 0);

    Machine stubborn("stubborn", on_tree({"--kill-signal=SIGUSR2", "--pipe"}),
                     {"sh", "-c", "trap 'echo asked' USR2; echo up; while :; do sleep 0.1; done"});
    stubborn.launcher().send_signal(SIGTERM);
    stubborn.launcher().wait_for("asked");
    stubborn.launcher().send_signal(SIGINT);
    EXPECT_EQ(stubborn.launcher().wait(), 128 + SIGINT);
}

namespace {

/// Exits with 200 + the signal that asks it to.
constexpr const char *obedient = "for n in 1 2 3 10 12 15 37; do trap \"exit $((200 + n))\" $n; done; echo "
                                 "up; while :; do sleep 0.1; done";

class KillSignal : public Lifecycle {
protected:
    KillSignal() {
        const fs::path init = tree.write("usr/sbin/init", std::string("#!/bin/sh\n") + obedient + "\n");
        fs::permissions(init, fs::perms{0755});
    }
};

} // namespace

TEST_F(KillSignal, IsTheOneThatIsAskedFor) {
    struct Row {
        Words options;
        int asked;  ///< of the launcher
        int status; ///< that comes of it
    };
    for (const Row &row :
         {Row{{"--kill-signal=SIGUSR1"}, SIGTERM, 210}, Row{{"--kill-signal=USR2"}, SIGINT, 212},
          Row{{"--kill-signal=15"}, SIGHUP, 215}, Row{{"--kill-signal=SIGRTMIN+3"}, SIGQUIT, 237},
          Row{{"-U", "--kill-signal=SIGHUP"}, SIGTERM, 201}, Row{{}, SIGTERM, 128 + SIGTERM},
          Row{{}, SIGINT, 128 + SIGINT}, Row{{"--boot"}, SIGTERM, 237},
          Row{{"--boot", "--kill-signal=SIGUSR1"}, SIGTERM, 210},
          Row{{"--boot", "-U", "--kill-signal=SIGINT"}, SIGHUP, 202}}) {
        SCOPED_TRACE(testing::PrintToString(row.options));
        Words options{"--pipe"};
        options.insert(options.end(), row.options.begin(), row.options.end());
        const bool boots = std::ranges::contains(options, "--boot");
        Machine machine("mortal", on_tree(options), boots ? Words{} : Words{"sh", "-c", obedient});
        machine.launcher().send_signal(row.asked);
        EXPECT_EQ(machine.launcher().wait(), row.status) << machine.launcher().err();
    }
}

TEST_F(KillSignal, StopsAService) {
    Service machine("mortal", toml() + "[exec]\nkill_signal = \"SIGUSR2\"\nnotify_ready = false\n");
    machine.start();
    // Not before it has set its traps: the kernel keeps from PID 1 what it does not handle.
    ASSERT_TRUE(eventually([&] {
        return (std::stoull(status_field(machine.leader(), "SigCgt"), nullptr, 16) & (1U << (SIGTERM - 1)))
               != 0;
    }));
    machine.stop();
    EXPECT_EQ(machine.unit_property("ExecMainStatus"), "212");
}

TEST_F(Lifecycle, NameInUseIsRefusedAndItsHolderLeftAlone) {
    Machine machine("only-one", on_tree());
    const pid_t leader = machine.leader();
    const Outcome second = run(run_words("only-one", on_tree(), {"true"}));
    EXPECT_EQ(second.status, 1);
    EXPECT_THAT(second.err, AllOf(HasSubstr("only-one"), HasSubstr("is there already")));
    EXPECT_EQ(machine.leader(), leader);
    EXPECT_EQ(machine.exec({"echo", "undisturbed"}), "undisturbed");
    EXPECT_EQ(text_of("/run/systemd/machines/unit:machine-only\\x2done.scope").substr(0, 1), "#");
}

TEST_F(Lifecycle, OfManyWithOneNameOneWins) {
    std::vector<std::unique_ptr<Process>> all;
    for (int i = 0; i < 10; ++i)
        all.push_back(std::make_unique<Process>(run_words("only-one", on_tree(), Machine::idle)));
    ASSERT_TRUE(eventually([&] {
        return std::ranges::count_if(all, [](const auto &process) { return process->ended(); }) == 9;
    }));
    EXPECT_THAT(listed(), testing::ElementsAre("only-one"));
    berth_succeeds({"terminate", "only-one"});
    int refused = 0;
    for (const auto &process : all)
        if (process->wait() == 1) {
            ++refused;
            EXPECT_THAT(process->err(), HasSubstr("is there already"));
        }
    EXPECT_EQ(refused, 9);
}

TEST_F(Lifecycle, SameName200TimesInARow) {
    for (int i = 0; i < 200; ++i) {
        const Outcome outcome = run(run_words("again", on_tree(), {"true"}));
        ASSERT_EQ(outcome.status, 0) << "start " << i << ": " << outcome.err;
    }
}

TEST_F(Lifecycle, SameServiceAgainAndAgain) {
    Service machine("again", toml());
    for (int i = 0; i < 20; ++i) {
        machine.start();
        succeed({"systemctl", "reset-failed", machine.unit()}); // counts starts, of which it allows a few
        ASSERT_THAT(listed(), Contains("again"));
        if (i % 2 == 0)
            machine.stop();
        else
            berth_succeeds({"terminate", "again"});
    }
}

TEST_F(Lifecycle, RestartOfAServiceNeverFindsItsNameTaken) {
    Service machine("again", toml());
    machine.start();
    for (int i = 0; i < 10; ++i) {
        succeed({"systemctl", "restart", machine.unit()});
        succeed({"systemctl", "reset-failed", machine.unit()}); // counts starts, of which it allows a few
    }
    EXPECT_THAT(listed(), Contains("again"));
}

TEST_F(Lifecycle, KilledAndStartedAnewAtOnce) {
    for (int i = 0; i < 20; ++i) {
        Machine machine("again", on_tree());
        machine.launcher().send_signal(SIGKILL);
        machine.launcher().wait();
    }
}

TEST_F(Lifecycle, TwentyAtOnce) {
    std::vector<std::unique_ptr<Process>> starting;
    for (int i = 0; i < 20; ++i)
        starting.push_back(std::make_unique<Process>(run_words(
            "many-" + std::to_string(i), on_tree({"--pipe"}), {"sh", "-c", "echo up; read line; exit 9"})));
    for (const auto &process : starting)
        process->wait_for("up");
    EXPECT_EQ(listed().size(), 20U);
    for (const auto &process : starting)
        process->write("end\n");
    for (const auto &process : starting)
        EXPECT_EQ(process->wait(), 9) << process->err();
    EXPECT_THAT(listed(), IsEmpty());
}
