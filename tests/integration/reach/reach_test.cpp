// SPDX-License-Identifier: LGPL-2.1-or-later
// What is out of reach: of a machine, of what joins it too early, of whoever can write in its tree.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <vector>

#include "base/format.hpp"
#include "root/ownership.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"
#include "support/snapshot.hpp"

using namespace berth::test;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class Reach : public OptionTest {};

/// A launcher that stops at a step of its own, until it is told to go on.
class Stopped {
public:
    Stopped(const char *step, Words run) : launcher_(with(step, std::move(run))) {}
    ~Stopped() { launcher_.send_signal(SIGCONT); }
    Stopped(const Stopped &) = delete;
    Stopped &operator=(const Stopped &) = delete;

    [[nodiscard]] bool is_stopped() const {
        return text_of(berth::format("/proc/{}/stat", launcher_.pid())).contains(") T ");
    }
    Process &launcher() { return launcher_; }

private:
    static Words with(const char *step, Words run) {
        run.insert(run.begin(), {"env", std::string("BERTH_STOP_AT=") + step});
        return run;
    }
    Process launcher_;
};

} // namespace

TEST_F(Reach, AMachineThatIsBeingMadeIsWaitedFor) {
    tree.write("etc/mine", "of the machine\n");
    for (const char *step : {"registered", "mounted", "placed"})
        for (const Words &options : {Words{"-x"}, Words{"-x", "-U"}}) {
            Stopped stopped(step, words(options, {"sh", "-c", "echo up; sleep 1000"}));
            ASSERT_TRUE(eventually([&] { return stopped.is_stopped(); })) << "the build has no hooks";
            Process joining({"berth", "exec", "options", "cat", "/etc/mine", "/proc/self/cgroup"});
            Process looking({"berth", "status", "options"});
            EXPECT_FALSE(eventually([&] { return joining.ended(); }, std::chrono::seconds(1)))
                << step << ": " << joining.out() << joining.err();
            stopped.launcher().send_signal(SIGCONT);
            EXPECT_EQ(joining.wait(), 0) << joining.err();
            EXPECT_THAT(joining.out(), testing::StartsWith("of the machine\n")) << step;
            EXPECT_EQ(looking.wait(), 0) << looking.err();
            berth_succeeds({"terminate", "options"});
            EXPECT_EQ(stopped.launcher().wait(), 128 + SIGKILL);
        }
}

TEST_F(Reach, AMachineThatIsNeverMadeIsNot) {
    Stopped stopped("registered", words({"-x"}, {"true"}));
    ASSERT_TRUE(eventually([&] { return stopped.is_stopped(); })) << "the build has no hooks";
    Process joining({"berth", "exec", "options", "true"});
    stopped.launcher().send_signal(SIGKILL);
    EXPECT_NE(joining.wait(), 0);
    EXPECT_THAT(joining.err(), Not(IsEmpty()));
    EXPECT_EQ(stopped.launcher().wait(), 128 + SIGKILL);
}

TEST_F(Reach, TheSmallInitHoldsNothingOfTheLauncher) {
    for (const Words &options : {Words{"-x", "--as-pid2"}, Words{"-x", "--as-pid2", "-U"}}) {
        Words launcher = words(options, {"sh", "-c",
                                         "tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/comm; "
                                         "tr '\\0' ' ' < /proc/1/environ 2>/dev/null; "
                                         "ls -l /proc/1/fd 2>/dev/null; cut -d' ' -f5-8 < /proc/1/stat"});
        launcher.insert(launcher.begin(), {"env", "SECRET_OF_THE_HOST=1"});
        const Outcome outcome = run(launcher);
        EXPECT_EQ(outcome.status, 0) << outcome.err;
        EXPECT_THAT(outcome.out, HasSubstr("berth-init\n"));
        EXPECT_THAT(outcome.out, Not(HasSubstr("SECRET_OF_THE_HOST")));
        EXPECT_THAT(outcome.out, Not(HasSubstr("--as-pid2")));
        EXPECT_THAT(outcome.out, Not(HasSubstr("pipe:"))) << "the launcher's stdio";
        EXPECT_THAT(outcome.out, HasSubstr("\n1 1 0 -1\n")) << "a session of its own, without a terminal";
    }
}

TEST_F(Reach, TheSmallInitCannotBeTraced) {
    const std::string denied =
        inside({"-x", "--as-pid2", "-U"}, "ls -l /proc/1/fd/ 2>&1 || head -c1 /proc/1/mem 2>&1 || true");
    EXPECT_THAT(denied, HasSubstr("denied"));
    EXPECT_THAT(denied, Not(HasSubstr("/dev/null")));
}

TEST_F(Reach, TheSmallInitMissesNoEnd) {
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(run(words({"-x", "--as-pid2", "--register=no"}, {"sh", "-c", "exit 3"})).status, 3);
}

TEST_F(Reach, ACommandWithoutAnyCapabilityCanBeJoined) {
    const Machine machine("options-bare", {"-D", tree.path(), "-x", "--drop-capability=all"});
    EXPECT_EQ(machine.exec({"sh", "-c", "id -u; grep -E 'Cap(Eff|Bnd)' /proc/self/status | cut -f2"}),
              "0\n0000000000000000\n0000000000000000");
}

TEST_F(Reach, GivingATreeAwayFollowsNoLink) {
    // Whoever can write in a tree may put a link in the place of a folder that is being walked.
    const fs::path victim = dir.write("victim", "");
    const fs::path folder = tree / "srv/folder";
    fs::create_directories(folder);
    for (int i = 0; i < 1500; ++i)
        tree.write(berth::format("srv/folder/{}", i), "");
    ASSERT_EQ(::chmod(folder.c_str(), 07777), 0);
    bool swapped = false;
    const berth::unique_fd opened(::open(tree.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    berth::ownership::move_to(opened.get(), tree.path(), 655360, [&](std::uint64_t) {
        if (swapped)
            return;
        swapped = true;
        fs::rename(folder, tree / "srv/moved");
        fs::create_symlink(victim, folder);
    });
    ASSERT_TRUE(swapped);
    EXPECT_EQ(owner_of(victim), "0:0 644");
    EXPECT_EQ(owner_of(tree / "srv/moved"), "655360:655360 7777") << "the folder itself, by its descriptor";
}

TEST_F(Reach, AVeryDeepTreeIsGivenAway) {
    std::string path;
    for (int i = 0; i < 1200; ++i)
        path += "d/";
    fs::create_directory(tree / "srv");
    succeed({"sh", "-c", berth::format("cd '{}' && mkdir -p {}", (tree / "srv").native(), path)});
    EXPECT_EQ(inside({"--private-users=655360", "--private-users-ownership=chown"}, "stat -c %u /srv/d/d/d"),
              "0");
}

TEST_F(Reach, DeepTemporaryDirectoriesAreRemoved) {
    std::string path;
    for (int i = 0; i < 1200; ++i)
        path += "d/";
    EXPECT_EQ(inside({"-x", "--bind=:/mnt"}, "cd /mnt && mkdir -p " + path + " && echo made"), "made");
    EXPECT_EQ(succeed({"sh", "-c", "ls -A /var/tmp | grep '^.#berth-' || true"}), "");
}

TEST_F(Reach, LinksIntoWhatIsBoundWriteNothingThere) {
    const fs::path shared = dir / "shared";
    fs::create_directories(shared);
    dir.write("shared/resolv.conf", "of the host\n");
    dir.write("shared/localtime", "of the host\n");
    fs::rename(tree / "etc", tree / "usr/etc");
    fs::create_symlink("/shared", tree / "etc");
    fs::copy(tree / "usr/etc/passwd", shared / "passwd");
    const Snapshot before = snapshot(shared);
    const std::string bind = "--bind=" + shared.native() + ":/shared";
    const Words options{"-U", bind, "--resolv-conf=replace-host", "--timezone=copy", "--tmpfs=/etc/made"};
    // The link leads nowhere yet when the tmpfs is mounted: its place is made in the tree, and covered then.
    EXPECT_EQ(run(words(options, {"true"})).status, 0);
    EXPECT_TRUE(fs::exists(tree / "shared/made"));
    EXPECT_EQ(run(words({"-U", bind, "--resolv-conf=replace-host", "--timezone=copy"}, {"true"})).status, 0);
    EXPECT_THAT(differences(before, snapshot(shared)), IsEmpty());
}

TEST_F(Reach, AFifoForAFileOfSettingsIsRefused) {
    const fs::path fifo = tree.path().parent_path() / (tree.path().filename().native() + ".nspawn");
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    const Outcome outcome = run({"berth", "run", "-P", "-D", tree.path(), "-x", "true"});
    fs::remove(fifo);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("not a regular file"));
}

TEST_F(Reach, LocksOfOthersStopNobody) {
    // Anyone on the host may read these, and hold a lock on what can be read.
    succeed({"mkdir", "-p", "/run/berth", "/run/systemd/nspawn-uid"});
    Process holder({"setpriv", "--reuid=65534", "--clear-groups", "sh", "-c",
                    "exec 8< /run/berth; flock 8; exec 9< /run/systemd/nspawn-uid; flock 9; echo held; "
                    "exec sleep 1000"});
    holder.wait_for("held");
    EXPECT_EQ(inside({"-x", "-U"}, "echo up"), "up");
    const Machine machine("options-held", {"-D", tree.path(), "-x"});
    berth_succeeds({"ns", "hold", "held-anyway", "options-held", "--kind=uts"});
    berth_succeeds({"ns", "release", "held-anyway"});
}

TEST_F(Reach, NobodyAsksPolkitWithoutEnd) {
    const Machine machine("options-asked", {"-D", tree.path(), "-x"});
    const Words ask{"setpriv",
                    "--reuid=65534",
                    "--clear-groups",
                    "busctl",
                    "--timeout=60",
                    "call",
                    "org.berth1",
                    "/org/berth1",
                    "org.berth1.Manager",
                    "TerminateMachine",
                    "s",
                    "options-asked"};
    EXPECT_NE(run(ask).status, 0); // polkit runs by now
    succeed({"systemctl", "kill", "--signal=STOP", "polkit.service"});
    const std::shared_ptr<void> going_on(
        nullptr, [](void *) { (void)run({"systemctl", "kill", "--signal=CONT", "polkit.service"}); });
    std::vector<std::unique_ptr<Process>> waiting;
    for (int i = 0; i < 40; ++i)
        waiting.push_back(std::make_unique<Process>(ask));
    const auto refused = [&] {
        return std::ranges::count_if(waiting, [](const auto &process) { return process->ended(); });
    };
    EXPECT_TRUE(eventually([&] { return refused() == 8; }, std::chrono::seconds(20))) << refused();
    berth_succeeds({"list"}); // others are answered
    succeed({"systemctl", "kill", "--signal=CONT", "polkit.service"});
    int too_many = 0;
    for (const auto &process : waiting) {
        EXPECT_NE(process->wait(), 0);
        too_many += process->err().contains("too many requests") ? 1 : 0;
    }
    EXPECT_EQ(too_many, 8);
}
