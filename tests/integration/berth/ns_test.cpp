// SPDX-License-Identifier: LGPL-2.1-or-later
// Namespaces as operators know them: listed, held, entered, released.
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/format.hpp"
#include "base/parse.hpp"
#include "base/unique_fd.hpp"
#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

namespace {

const fs::path held = "/run/berth/ns";

class NamespacesHeld : public HostTest {
protected:
    SmallTree tree;
    [[nodiscard]] Words options() const { return {"-D", tree.path(), "-x", "--private-network"}; }
};

std::string inode_of(const Machine &machine, const std::string &kind) {
    const std::string link = succeed({"readlink", berth::format("/proc/{}/ns/{}", machine.leader(), kind)});
    return link.substr(link.find('[') + 1, link.find(']') - link.find('[') - 1);
}

/// The row of `berth ns list` for an inode; null where there is none.
json row_of(const std::string &inode) {
    for (const json &row : json::parse(berth_succeeds({"ns", "list", "-o", "json"})))
        if (row.at("inode").dump() == inode)
            return row;
    return nullptr;
}

std::string error_of(const Words &words) {
    const Outcome outcome = try_berth(words);
    EXPECT_EQ(outcome.status, 1) << outcome.out;
    return outcome.err;
}

/// Everything that is started meanwhile runs on one processor.
class OnProcessor {
public:
    explicit OnProcessor(std::size_t number) {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t one{};
        CPU_SET(number, &one);
        EXPECT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    }
    ~OnProcessor() { ::sched_setaffinity(0, sizeof before_, &before_); }
    OnProcessor(const OnProcessor &) = delete;
    OnProcessor &operator=(const OnProcessor &) = delete;

private:
    cpu_set_t before_{};
};

/// By which the kernel tells what is newer.
std::uint64_t mount_namespace_number(pid_t pid) {
    const berth::unique_fd fd(::open(berth::format("/proc/{}/ns/mnt", pid).c_str(), O_RDONLY | O_CLOEXEC));
    std::uint64_t number = 0;
    EXPECT_EQ(::ioctl(fd.get(), NS_GET_MNTNS_ID, &number), 0);
    return number;
}

/// A machine whose mount namespace is newer than ours for the kernel, too. Since Linux 6.18 each
/// processor has a supply of numbers of its own: on the one that ours comes from, they are higher.
std::unique_ptr<Machine> with_newer_mounts(const std::string &name, const Words &options) {
    for (std::size_t number = 0; number < CPU_SETSIZE; ++number) {
        cpu_set_t ours{};
        ::sched_getaffinity(0, sizeof ours, &ours);
        if (!CPU_ISSET(number, &ours))
            continue;
        const OnProcessor here(number);
        auto machine = std::make_unique<Machine>(name, options);
        if (mount_namespace_number(machine->leader()) > mount_namespace_number(::getpid()))
            return machine;
        EXPECT_THAT(error_of({"ns", "hold", "spare", name, "--kind=mnt"}), HasSubstr("newer"));
    }
    ADD_FAILURE() << "no processor gives numbers that are higher than our mount namespace's";
    return nullptr;
}

/// Releases a name at the end of a test that may have failed.
struct Released {
    std::string name;
    ~Released() { (void)try_berth({"ns", "release", name}); }
};

} // namespace

TEST_F(NamespacesHeld, OutliveTheirMachineUntilReleased) {
    const Released guard{"spare"};
    std::string inode;
    {
        const Machine machine("ns-gone", options());
        inode = inode_of(machine, "net");
        berth_succeeds({"ns", "enter", "ns-gone", "--kind=net", "--", "ip", "link", "add", "kept0", "type",
                        "veth", "peer", "name", "kept1"});
        EXPECT_THAT(machine.exec({"ls", "/sys/class/net"}), HasSubstr("kept0"));
        berth_succeeds({"ns", "hold", "spare", "ns-gone", "--kind=net,uts"});
        EXPECT_EQ(row_of(inode).at("names"), json::array({"spare"}));
        EXPECT_EQ(row_of(inode).at("machines"), json::array({"ns-gone"}));
        EXPECT_EQ(row_of(inode).at("pid"), machine.leader());
    }
    EXPECT_TRUE(eventually([&] { return row_of(inode).at("processes") == 0; }));
    EXPECT_THAT(berth_succeeds({"ns", "enter", "spare", "--", "ip", "-br", "link"}), HasSubstr("kept0"));
    EXPECT_THAT(succeed({"nsenter", "--net=/run/berth/ns/spare/net", "ip", "-br", "link"}),
                HasSubstr("kept0"));
    EXPECT_EQ(berth_succeeds({"ns", "enter", "spare", "--", "hostname"}), "ns-gone");
    EXPECT_THAT(berth_succeeds({"ns", "list"}), HasSubstr("name spare"));
    berth_succeeds({"ns", "release", "spare", "--kind=uts"});
    EXPECT_NE(berth_succeeds({"ns", "enter", "spare", "--", "hostname"}), "ns-gone");
    berth_succeeds({"ns", "release", "spare"});
    EXPECT_TRUE(eventually([&] { return row_of(inode).is_null(); }));
    EXPECT_FALSE(fs::exists(held));
    EXPECT_THAT(error_of({"ns", "enter", "spare", "--", "true"}), HasSubstr("spare"));
    EXPECT_THAT(error_of({"ns", "release", "spare"}), HasSubstr("nothing is held as spare"));
}

TEST_F(NamespacesHeld, AreReleasedForMachinesThatStartedMeanwhileToo) {
    const Released guard{"spare"};
    const Machine first("ns-first", options());
    const std::string inode = inode_of(first, "ipc");
    berth_succeeds({"ns", "hold", "spare", "ns-first", "--kind=ipc"});
    // One whose mount namespace has copies of all mounts of the host's.
    Process copy(
        {"unshare", "--mount", "--propagation=unchanged", "sh", "-c", "echo up; exec sleep infinity"});
    copy.wait_for("up");
    const Machine second("ns-second", options());
    berth_succeeds({"ns", "release", "spare"});
    EXPECT_EQ(row_of(inode).at("mounts"), json::array());
    EXPECT_THAT(text_of(berth::format("/proc/{}/mountinfo", copy.pid())), Not(HasSubstr("ipc:[" + inode)));
    copy.send_signal(SIGKILL);
    copy.wait();
}

TEST_F(NamespacesHeld, EnterHandsOnExitCodesAndIsInAllOfThem) {
    const Machine machine("ns-enter", {"-D", tree.path(), "-x", "--private-network", "--private-users=pick"});
    for (const char *kinds : {"--kind=net", "--kind=net,pid", "--kind=user,pid,mnt,uts,ipc,cgroup,net"})
        EXPECT_EQ(try_berth({"ns", "enter", "ns-enter", kinds, "--", "sh", "-c", "exit 7"}).status, 7)
            << kinds;
    EXPECT_EQ(try_berth({"ns", "enter", "ns-enter", "--kind=pid", "--", "sh", "-c", "kill -9 $$"}).status,
              137);
    EXPECT_EQ(try_berth({"ns", "enter", "ns-enter", "--kind=net", "--", "no-such-command"}).status, 127);
    for (const char *kind : {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"})
        EXPECT_EQ(berth_succeeds(
                      {"ns", "enter", "ns-enter", "--", "readlink", std::string("/proc/self/ns/") + kind}),
                  std::string(kind) + ":[" + inode_of(machine, kind) + "]");
    const std::string status = berth_succeeds({"ns", "enter", "ns-enter", "--", "cat", "/proc/self/status"});
    const std::string leader = text_of(berth::format("/proc/{}/status", machine.leader()));
    const auto bounding = [](const std::string &text) { return text.substr(text.find("CapBnd:"), 24); };
    EXPECT_EQ(bounding(status), bounding(leader));
    EXPECT_THAT(status, HasSubstr("\nUid:\t0\t0\t0\t0\n"));
    const std::string pid = std::to_string(machine.leader());
    EXPECT_EQ(berth_succeeds({"ns", "enter", pid, "--kind=uts", "--", "hostname"}), "ns-enter");
    EXPECT_EQ(berth_succeeds({"ns", "enter", "/proc/" + pid + "/ns/uts", "--", "hostname"}), "ns-enter");
}

TEST_F(NamespacesHeld, SignalsReachWhatRunsInAPidNamespace) {
    const Machine machine("ns-signal", options());
    Process entered({"berth", "ns", "enter", "ns-signal", "--kind=pid", "--", "sh", "-c",
                     "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"});
    entered.wait_for("up");
    entered.send_signal(SIGTERM);
    EXPECT_EQ(entered.wait(), 3);
    Process killed(
        {"berth", "ns", "enter", "ns-signal", "--kind=pid", "--", "sh", "-c", "echo up; exec sleep 54321"});
    killed.wait_for("up");
    killed.send_signal(SIGKILL);
    killed.wait();
    EXPECT_TRUE(eventually([] { return run({"pgrep", "-f", "sleep 54321"}).status != 0; }));
}

TEST_F(NamespacesHeld, HoldDoesAllOrNothing) {
    const Machine machine("ns-whole", options());
    EXPECT_THAT(error_of({"ns", "hold", "spare", "1", "--kind=uts,mnt"}),
                AllOf(HasSubstr("mount namespace"), HasSubstr("newer")));
    EXPECT_FALSE(fs::exists(held));
    const Released guard{"spare"};
    berth_succeeds({"ns", "hold", "spare", "ns-whole"});
    EXPECT_FALSE(fs::exists(held / "spare/mnt"));
    EXPECT_TRUE(fs::exists(held / "spare/net"));
    EXPECT_THAT(error_of({"ns", "hold", "spare", "ns-whole"}), HasSubstr("held as spare already"));
    EXPECT_TRUE(fs::exists(held / "spare/net"));
}

TEST_F(NamespacesHeld, MountAndPidNamespacesAsFarAsTheKernelPermits) {
    const Released guard{"spare"};
    {
        const auto machine = with_newer_mounts("ns-tree", options());
        ASSERT_TRUE(machine);
        berth_succeeds({"ns", "hold", "spare", "ns-tree", "--kind=mnt,pid"});
        EXPECT_EQ(berth_succeeds({"ns", "enter", "spare", "--", "cat", "/proc/1/comm"}), "sleep");
    }
    EXPECT_EQ(berth_succeeds({"ns", "enter", "spare", "--kind=mnt", "--", "readlink", "-f", "/bin/sh"}),
              tree.path().empty() ? "" : succeed({"chroot", tree.path(), "readlink", "-f", "/bin/sh"}));
    EXPECT_THAT(error_of({"ns", "enter", "spare", "--kind=pid", "--", "true"}), HasSubstr("first process"));
}

TEST_F(NamespacesHeld, WhatAKilledProcessLeavesIsSwept) {
    const Machine machine("ns-killed", options());
    const Released guard{"spare"};
    const auto killed_at = [](const char *call, const Words &words) {
        Words all = under_strace({"-e", std::string("inject=") + call + ":signal=KILL"});
        all.emplace_back("berth");
        all.insert(all.end(), words.begin(), words.end());
        EXPECT_NE(run(all).status, 0);
    };
    // Before a name is there, nothing is held.
    killed_at("rename,renameat,renameat2", {"ns", "hold", "spare", "ns-killed"});
    EXPECT_TRUE(fs::exists(held / ".new-spare/net") || fs::exists(held / "spare"));
    if (!fs::exists(held / "spare"))
        berth_succeeds({"ns", "hold", "spare", "ns-killed"});
    EXPECT_FALSE(fs::exists(held / ".new-spare"));
    killed_at("umount2:when=2", {"ns", "release", "spare"});
    (void)try_berth({"ns", "hold", "spare", "ns-killed", "--kind=net"});
    EXPECT_TRUE(fs::exists(held / "spare/net"));
    EXPECT_FALSE(fs::exists(held / ".old-spare"));
    for (const char *call : {"mount:when=1", "mount:when=3", "mount:when=5", "mkdir:when=2"}) {
        (void)try_berth({"ns", "release", "spare"});
        killed_at(call, {"ns", "hold", "spare", "ns-killed"});
        (void)try_berth({"ns", "release", "spare"}); // sweeps, whether or not there is a name
        EXPECT_FALSE(fs::exists(held)) << call;
    }
}

TEST_F(NamespacesHeld, ListAgreesWithLsns) {
    const Machine machine("ns-listed", options());
    for (const char *kind : {"mnt", "net", "pid", "ipc", "uts", "cgroup"}) {
        const std::string inode = inode_of(machine, kind);
        const json ours = row_of(inode);
        const json theirs =
            json::parse(succeed({"lsns", "-J", "-t", kind, "-o", "NS,NPROCS,PID"})).at("namespaces");
        const auto found =
            std::ranges::find_if(theirs, [&](const json &row) { return row.at("ns").dump() == inode; });
        ASSERT_NE(found, theirs.end());
        EXPECT_EQ(ours.at("processes"), found->at("nprocs")) << kind;
        EXPECT_EQ(ours.at("pid"), found->at("pid")) << kind;
        EXPECT_EQ(ours.at("kind"), kind);
    }
    Process opener({"sh", "-c",
                    berth::format("exec 9</proc/{}/ns/net; echo up; exec sleep infinity", machine.leader())});
    opener.wait_for("up");
    // The launcher holds it, too, to take links back at the end.
    const auto holders = row_of(inode_of(machine, "net")).at("descriptors").get<std::vector<pid_t>>();
    EXPECT_THAT(holders, testing::Contains(opener.pid()));
    opener.send_signal(SIGKILL);
    opener.wait();
    for (const json &row : json::parse(berth_succeeds({"ns", "list", "-o", "json"})))
        EXPECT_NE(berth::format("{}:[{}]", row.at("kind").get<std::string>(), row.at("inode").dump()),
                  succeed({"readlink", "/proc/self/ns/" + row.at("kind").get<std::string>()}));
}

TEST_F(NamespacesHeld, MistakesAreExplained) {
    for (const char *name : {"../x", "-x", ".new", "12", "a/b"})
        EXPECT_THAT(error_of({"ns", "hold", "--", name, "1"}), HasSubstr("is not a name")) << name;
    EXPECT_THAT(error_of({"ns", "hold", "x", "/etc/passwd"}), HasSubstr("not the file of a namespace"));
    EXPECT_THAT(error_of({"ns", "hold", "x", "1"}), HasSubstr("none of these namespaces"));
    EXPECT_THAT(error_of({"ns", "hold", "x", "1", "--kind=colour"}), HasSubstr("\"colour\""));
    EXPECT_THAT(error_of({"ns", "hold", "x"}), HasSubstr("usage"));
    EXPECT_THAT(error_of({"ns", "keep"}), HasSubstr("keep"));
    EXPECT_THAT(error_of({"ns", "enter", "ns-never", "--", "true"}), HasSubstr("ns-never"));
    const Outcome outcome = run({"setpriv", "--reuid=65534", "--clear-groups", "berth", "ns", "list"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("needs root"));
    EXPECT_FALSE(fs::exists(held));
}
