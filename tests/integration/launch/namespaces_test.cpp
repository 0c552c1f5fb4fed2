// SPDX-License-Identifier: LGPL-2.1-or-later
// What separates a machine from its host.
#include <memory>

#include "base/parse.hpp"
#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

class Namespaces : public HostTest {
protected:
    Namespaces() : HostTest("apart") {}

    static void SetUpTestSuite() {
        tree = std::make_unique<SmallTree>();
        open = std::make_unique<Machine>("apart-open", Words{"-D", tree->path(), "-x"});
        closed =
            std::make_unique<Machine>("apart-closed", Words{"-D", tree->path(), "-x", "--private-network"});
    }
    static void TearDownTestSuite() {
        open.reset();
        closed.reset();
        tree.reset();
    }

    inline static std::unique_ptr<SmallTree> tree;
    inline static std::unique_ptr<Machine> open;   ///< shares the host's network
    inline static std::unique_ptr<Machine> closed; ///< does not
};

std::string host_namespace(const char *kind) {
    return succeed({"readlink", std::string("/proc/1/ns/") + kind});
}

std::string namespace_of(const RunningMachine &machine, const char *kind) {
    return succeed({"readlink", "/proc/" + std::to_string(machine.leader()) + "/ns/" + kind});
}

} // namespace

TEST_F(Namespaces, DifferFromTheHostsAndFromEachOther) {
    for (const char *kind : {"mnt", "pid", "ipc", "uts", "cgroup"}) {
        EXPECT_NE(namespace_of(*open, kind), host_namespace(kind)) << kind;
        EXPECT_NE(namespace_of(*closed, kind), host_namespace(kind)) << kind;
        EXPECT_NE(namespace_of(*closed, kind), namespace_of(*open, kind)) << kind;
    }
}

TEST_F(Namespaces, NetworkIsPrivateWhenAskedFor) {
    EXPECT_EQ(namespace_of(*open, "net"), host_namespace("net"));
    EXPECT_NE(namespace_of(*closed, "net"), host_namespace("net"));
    EXPECT_EQ(closed->exec({"sh", "-c", "ls /sys/class/net | tr '\\n' ' '"}).substr(0, 3), "lo ");
}

TEST_F(Namespaces, EnvironmentOfPidOne) {
    const std::string environment = open->exec({"sh", "-c", "tr '\\0' '\\n' < /proc/1/environ"}) + "\n";
    std::string id = open->property("Id");
    for (const std::size_t at : {8, 13, 18, 23})
        id.insert(at, "-");
    EXPECT_THAT(environment,
                AllOf(HasSubstr("container=berth\n"), HasSubstr("container_uuid=" + id + "\n"),
                      HasSubstr("container_host_id=debian\n"), HasSubstr("NOTIFY_SOCKET=/run/host/notify\n"),
                      HasSubstr("HOME=/root\n"), HasSubstr("USER=root\n"), HasSubstr("PATH=")));
}

TEST_F(Namespaces, CapabilitiesAreThePeersDefault) {
    // Not CapInh, which the peer fills: as files have no inheritable capabilities, it gives nothing.
    const Words command{"grep", "-E", "^Cap(Prm|Eff|Bnd|Amb)", "/proc/self/status"};
    for (const bool private_network : {false, true}) {
        Words peer{"systemd-nspawn",       "--quiet", "--register=no", "--pipe", "--volatile=overlay",
                   "--machine=berth-peer", "-D",      tree->path()};
        Words ours{
            "berth", "run",       "--quiet", "--register=no", "--pipe", "--ephemeral", "--machine=apart-caps",
            "-D",    tree->path()};
        for (Words *words : {&peer, &ours}) {
            if (private_network)
                words->emplace_back("--private-network");
            words->insert(words->end(), command.begin(), command.end());
        }
        EXPECT_EQ(succeed(ours), succeed(peer)) << "private network: " << private_network;
    }
}

TEST_F(Namespaces, CapabilitiesAreKeptAndDroppedAsAsked) {
    const auto bounding = [](const char *option) {
        const std::string text = succeed({"berth", "run", "-q", "-P", "-x", "-M", "apart-caps", "-D",
                                          tree->path(), option, "sh", "-c", "grep CapBnd /proc/self/status"});
        return std::stoull(text.substr(text.find('\t') + 1), nullptr, 16);
    };
    constexpr int net_admin = 12;
    constexpr int chown = 0;
    EXPECT_EQ(bounding("-q") >> net_admin & 1, 0U);
    EXPECT_EQ(bounding("--capability=CAP_NET_ADMIN") >> net_admin & 1, 1U);
    EXPECT_EQ(bounding("-q") >> chown & 1, 1U);
    EXPECT_EQ(bounding("--drop-capability=CAP_CHOWN") >> chown & 1, 0U);
}

TEST_F(Namespaces, KernelFilesAreReadOnly) {
    for (const char *file :
         {"/proc/sys/kernel/domainname", "/proc/sys/vm/swappiness", "/sys/kernel/uevent_seqnum"}) {
        const Outcome outcome = open->try_exec({"sh", "-c", std::string("echo 1 > ") + file});
        EXPECT_NE(outcome.status, 0) << file;
        EXPECT_THAT(outcome.err, AllOf(HasSubstr(file), HasSubstr("Read-only file system"))) << file;
    }
    EXPECT_NE(open->try_exec({"mkdir", "/sys/fs/made-inside"}).status, 0);
    EXPECT_NE(open->try_exec({"sh", "-c", "echo h > /proc/sysrq-trigger"}).status, 0);
}

TEST_F(Namespaces, NetworkSettingsAreWritableInANetworkOfItsOwn) {
    closed->exec(
        {"sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward && grep -q 1 /proc/sys/net/ipv4/ip_forward"});
    EXPECT_NE(open->try_exec({"sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"}).status, 0);
}

TEST_F(Namespaces, KernelSecretsAreCovered) {
    // Not every kernel has them all; those that are there say nothing.
    for (const char *file : {"/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list"})
        EXPECT_EQ(open->exec({"sh", "-c", std::string("cat ") + file + " 2>/dev/null | wc -c"}), "0") << file;
}

TEST_F(Namespaces, OnlyItsOwnProcessesAreInSight) {
    EXPECT_EQ(open->exec({"sh", "-c", "cat /proc/1/comm"}), "sleep");
    const std::string pids = open->exec({"sh", "-c", "echo /proc/[0-9]*"});
    EXPECT_LE(berth::split(pids, ' ').size(), 3U) << pids;
}

TEST_F(Namespaces, DevicesAreTheFewThatAreHarmless) {
    EXPECT_EQ(open->exec({"sh", "-c",
                          "cd /dev; for f in null zero full random urandom tty net/tun; do"
                          " test -c $f || echo no $f; done; echo x > null; head -c 1 zero | wc -c"}),
              "1");
    EXPECT_EQ(open->exec({"sh", "-c", "ls /dev | grep -E '^(mem|kmem|port|vda|sda|loop[0-9])' | wc -l"}),
              "0");
    EXPECT_EQ(open->exec({"readlink", "/dev/ptmx"}), "pts/ptmx");
}

TEST_F(Namespaces, MountsInsideStayInside) {
    const std::string before = text_of("/proc/self/mountinfo");
    open->exec({"sh", "-c", "mkdir /mnt && mount -t tmpfs tmpfs /mnt"});
    EXPECT_EQ(text_of("/proc/self/mountinfo"), before);
    EXPECT_THAT(closed->exec({"cat", "/proc/self/mountinfo"}), Not(HasSubstr(" /mnt ")));
    EXPECT_THAT(open->exec({"cat", "/proc/self/mountinfo"}), HasSubstr(" /mnt "));
}

TEST_F(Namespaces, HostNameInsideIsNotTheHosts) {
    const std::string before = succeed({"uname", "-n"});
    open->exec({"hostname", "changed-inside"});
    EXPECT_EQ(open->exec({"hostname"}), "changed-inside");
    EXPECT_EQ(succeed({"uname", "-n"}), before);
}

TEST_F(Namespaces, NoDescriptorOfTheLaunchersLeaksIn) {
    EXPECT_EQ(open->exec({"sh", "-c", "ls /proc/1/fd | tr '\\n' ' '"}), "0 1 2 ");
    EXPECT_EQ(
        open->exec({"sh", "-c", "for fd in 3 4 5 6 7 8 9; do test ! -e /proc/self/fd/$fd || echo $fd; done"}),
        "");
}
