// SPDX-License-Identifier: LGPL-2.1-or-later
// The launcher is killed at each of its steps: what it leaves is gone at the latest when the next
// machine of that name has been started and has ended. The build must have hooks (meson option).
#include <signal.h>
#include <sys/syscall.h>

#include <filesystem>

#include "base/format.hpp"
#include "base/parse.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
namespace fs = std::filesystem;

namespace {

/// "{tree}" and "{dir}" stand for the tree and for a folder beside it.
struct Kind {
    const char *name;
    Words options;
    Words command{"true"};
    std::string before{"true"}; ///< a shell's line that gives a start what it needs, unless it is there
    std::string after{"true"};  ///< one that takes away what a machine leaves for good
    Words root{"-D", "{tree}"};
    Words runner{}; ///< words before those of `berth run`
};

std::ostream &operator<<(std::ostream &out, const Kind &kind) {
    return out << kind.name;
}

/// A unit of its own, whose first process tells how the launcher ended.
const Words in_a_unit{
    "systemd-run", "--quiet", "--pipe",          "--wait", "--collect", "--property=Delegate=yes",
    "sh",          "-c",      "\"$@\"; exit $?", "sh"};

const std::vector<Kind> kinds{
    {"Plain", {}},
    {"Ephemeral", {"-x"}},
    {"EphemeralUsers", {"-x", "-U"}},
    {"Unregistered", {"-x", "--register=no"}},
    {"Network", {"-x", "-U", "--network-zone=steps", "--port=18080:80"}},
    {"Scratch", {"-x", "--bind=:/mnt"}},
    {"Time", {"-x", "--private-time=yes"}},
    {"Boot", {"-x", "-U", "--boot"}, {"exit", "0"}},
    {.name = "Image",
     .options = {"-U"},
     .before = "[ -e {dir}/disk.img ] || mkfs.ext4 -q -d {tree} {dir}/disk.img 32M",
     .root = {"--image={dir}/disk.img"}},
    {.name = "EphemeralImage",
     .options = {"-x"},
     .before = "[ -e {dir}/disk.img ] || mkfs.ext4 -q -d {tree} {dir}/disk.img 32M",
     .root = {"--image={dir}/disk.img"}},
    {.name = "Overlay",
     .options = {"-x", "--overlay={dir}/lower:{dir}/upper:/mnt"},
     .before = "mkdir -p {dir}/lower {dir}/upper"},
    {.name = "NetworkInterface",
     .options = {"-x", "--network-interface=steps0"},
     // Links that are no hardware go with a network namespace whose last process was killed.
     .before = "ip link show steps0 2>/dev/null || ip link add steps0 type veth",
     .after = "ip link del steps0"},
    {.name = "Template",
     .options = {"--template={tree}"},
     .after = "rm -r {dir}/made",
     .root = {"-D", "{dir}/made"}},
    {.name = "KeptUnit", .options = {"-x", "--keep-unit"}, .runner = in_a_unit},
    {.name = "KeptUnitBoot",
     .options = {"-x", "-U", "--keep-unit", "--boot"},
     .command = {"exit", "0"},
     .runner = in_a_unit},
};

const std::vector<const char *> steps{"users",      "locked",  "assembled", "born", "mapped", "linked",
                                      "registered", "mounted", "placed",    "sent", "running"};

std::string left_elsewhere() {
    std::string left = succeed({"nft", "list", "tables"});
    // Locks on trees are beside them and in a folder of systemd-nspawn's.
    left += succeed(
        {"sh", "-c", "ls -A /tmp /run/systemd/nspawn/locks 2>&1 | grep -E 'lck|inode|block' || true"});
    return left
           + succeed(
               {"sh", "-c", "ls -A /run/systemd/nspawn-uid /var/tmp | grep -v systemd-private || true"});
}

class Killed : public OptionTest, public testing::WithParamInterface<std::tuple<Kind, const char *>> {
protected:
    [[nodiscard]] std::string left() const { return left_elsewhere() + succeed({"ls", "-A", dir.path()}); }

    /// Loop devices of images in the folder. They are the kernel's, whatever the host. Of one that outlives
    /// its launcher no more is seen than the end of the image's path: the mounts that led there are gone.
    [[nodiscard]] std::string loops() const {
        const std::string name = dir.path().filename();
        return succeed(
            {"sh", "-c", "losetup --list --noheadings --output=NAME,BACK-FILE | grep " + name + " || true"});
    }

    void shell(const std::string &line) const { succeed({"sh", "-c", expanded(line)}); }

    /// Runs the machine; `step`: where its launcher is to be killed.
    [[nodiscard]] Outcome start(const Kind &kind, const char *step = "") const {
        Words options = kind.root;
        options.emplace_back("--pipe");
        options.insert(options.end(), kind.options.begin(), kind.options.end());
        for (std::string &option : options)
            option = expanded(option);
        Words words = kind.runner;
        words.insert(words.end(), {"env", std::string("BERTH_DIE_AT=") + step});
        const Words of_berth = run_words("stepped", options, kind.command);
        words.insert(words.end(), of_berth.begin(), of_berth.end());
        return run(words);
    }
};

} // namespace

TEST_P(Killed, LeavesNothingAfterTheNextStart) {
    const auto &[kind, step] = GetParam();
    shell(kind.before);
    const std::string before = left();
    EXPECT_EQ(start(kind, step).status, 128 + SIGKILL) << "the build has no hooks";
    // By itself the kernel ends the machine with its launcher; nobody has to be asked for the name.
    EXPECT_TRUE(eventually([&] { return listed().empty(); })) << "the machine outlives its launcher";
    shell(kind.before);
    const Outcome next = start(kind);
    EXPECT_EQ(next.status, 0) << next.err;
    shell(kind.after);
    EXPECT_EQ(left(), before);
    EXPECT_TRUE(eventually([&] { return loops().empty(); }, std::chrono::seconds(20))) << loops();
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, Killed,
                         testing::Combine(testing::ValuesIn(kinds), testing::ValuesIn(steps)),
                         [](const auto &each) {
                             return std::string(std::get<0>(each.param).name) + "_" + std::get<1>(each.param);
                         });

namespace {

class KilledAmidst : public OptionTest {};

/// The cp(1) that a launcher has started.
pid_t copier_of(pid_t launcher) {
    const std::string children = berth::format("/proc/{0}/task/{0}/children", launcher);
    pid_t found = -1;
    EXPECT_TRUE(eventually([&] {
        for (const std::string &child : berth::split(text_of(children), ' '))
            if (text_of(berth::format("/proc/{}/comm", child)) == "cp\n")
                found = static_cast<pid_t>(std::stol(child));
        return found > 0;
    }));
    return found;
}

bool waits_for_a_lock(pid_t pid) {
    return text_of(berth::format("/proc/{}/syscall", pid)).starts_with(berth::format("{} ", SYS_flock));
}

} // namespace

TEST_F(KilledAmidst, ACopyOfATemplateIsNotJoinedByAnother) {
    for (int i = 0; i < 20000; ++i)
        tree.write(berth::format("many/{}", i), "of the template\n");
    const Words words =
        run_words("stepped", {"-D", dir / "made", "--template=" + tree.path().native(), "--pipe"},
                  {"sh", "-c", "ls /many | wc -l"});
    Process first(words);
    const pid_t cp = copier_of(first.pid());
    const fs::path copy = dir / ".#made.berth";
    ASSERT_TRUE(eventually([&] { return fs::exists(copy / "tree/many"); }));
    ASSERT_EQ(::kill(cp, SIGSTOP), 0);
    first.send_signal(SIGKILL);
    EXPECT_EQ(first.wait(), 128 + SIGKILL);
    EXPECT_FALSE(fs::exists(dir / "made")) << "it was done before it could be killed";
    Process next(words);
    EXPECT_TRUE(eventually([&] { return next.ended() || waits_for_a_lock(next.pid()); }));
    EXPECT_FALSE(next.ended()) << "while the other copy is being written";
    ASSERT_EQ(::kill(cp, SIGCONT), 0);
    EXPECT_EQ(next.wait(), 0) << next.err();
    EXPECT_EQ(next.out(), "20000\n");
    EXPECT_FALSE(fs::exists(copy));
}
