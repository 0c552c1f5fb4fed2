// SPDX-License-Identifier: LGPL-2.1-or-later
// The launcher is killed at each of its steps: what it leaves is gone at the latest when the next
// machine of that name has been started and has ended. The build must have hooks (meson option).
#include <signal.h>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::IsEmpty;

namespace {

struct Kind {
    const char *name;
    Words options;
    Words command{"true"};
};

const std::vector<Kind> kinds{
    {"Plain", {}},
    {"Ephemeral", {"-x"}},
    {"EphemeralUsers", {"-x", "-U"}},
    {"Unregistered", {"-x", "--register=no"}},
    {"Network", {"-x", "-U", "--network-zone=steps", "--port=18080:80"}},
    {"Scratch", {"-x", "--bind=:/mnt"}},
    {"Time", {"-x", "--private-time=yes"}},
    {"Boot", {"-x", "-U", "--boot"}, {"exit", "0"}},
};

const std::vector<const char *> steps{"users",      "locked",  "assembled", "born", "mapped", "linked",
                                      "registered", "mounted", "placed",    "sent", "running"};

std::string left_elsewhere() {
    // Loop devices are the kernel's, whatever the host: those of files that are elsewhere are another's.
    std::string left = succeed({"nft", "list", "tables"})
                       + succeed({"sh", "-c",
                                  "losetup --list --noheadings --output=NAME,BACK-FILE |"
                                  " while read -r loop file; do"
                                  "   if [ -e \"$file\" ]; then echo \"$loop $file\"; fi;"
                                  " done"});
    // Locks on trees are beside them and in a folder of systemd-nspawn's.
    left += succeed(
        {"sh", "-c", "ls -A /tmp /run/systemd/nspawn/locks 2>&1 | grep -E 'lck|inode|block' || true"});
    return left
           + succeed(
               {"sh", "-c", "ls -A /run/systemd/nspawn-uid /var/tmp | grep -v systemd-private || true"});
}

class Killed : public HostTest, public testing::WithParamInterface<std::tuple<Kind, const char *>> {
protected:
    SmallTree tree;
};

} // namespace

TEST_P(Killed, LeavesNothingAfterTheNextStart) {
    const auto &[kind, step] = GetParam();
    const std::string before = left_elsewhere();
    Words options = kind.options;
    options.insert(options.begin(), {"-D", tree.path().native(), "--pipe"});
    Words killed = run_words("stepped", options, kind.command);
    killed.insert(killed.begin(), {"env", std::string("BERTH_DIE_AT=") + step});
    EXPECT_EQ(run(killed).status, 128 + SIGKILL) << "the build has no hooks";
    // By itself the kernel ends the machine with its launcher; nobody has to be asked for the name.
    EXPECT_TRUE(eventually([&] { return listed().empty(); })) << "the machine outlives its launcher";
    const Outcome next = run(run_words("stepped", options, kind.command));
    EXPECT_EQ(next.status, 0) << next.err;
    EXPECT_EQ(left_elsewhere(), before);
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, Killed,
                         testing::Combine(testing::ValuesIn(kinds), testing::ValuesIn(steps)),
                         [](const auto &each) {
                             return std::string(std::get<0>(each.param).name) + "_" + std::get<1>(each.param);
                         });
