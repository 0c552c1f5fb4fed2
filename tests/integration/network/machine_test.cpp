// SPDX-License-Identifier: LGPL-2.1-or-later
// The network options of `berth run`: links of real machines, as these and the host find them.
#include <signal.h>

#include <algorithm>
#include <memory>

#include "base/parse.hpp"
#include "support/host_test.hpp"
#include "support/links.hpp"
#include "support/machine.hpp"
#include "support/network_space.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

namespace {

class NetworkMachine : public HostTest {
protected:
    [[nodiscard]] Words on_tree(Words more = {}) const {
        more.insert(more.begin(), {"-D", tree.path().native(), "-x"});
        return more;
    }

    SmallTree tree;
};

/// What a machine finds in its /sys, in order.
std::vector<std::string> seen_by(const RunningMachine &machine) {
    return berth::split(machine.exec({"ls", "/sys/class/net"}), '\n');
}

std::string mac_seen_by(const RunningMachine &machine, const std::string &link) {
    return machine.exec({"cat", "/sys/class/net/" + link + "/address"});
}

json link_inside(const RunningMachine &machine, const std::string &name) {
    return link_in(network_of(machine.leader()), name);
}

std::string mac_of(const json &link) {
    return link.at("address");
}

void add_address(const RunningMachine &machine, const std::string &link, const std::string &address) {
    machine.exec({"ip", "link", "set", link, "up"});
    machine.exec({"ip", "addr", "add", address, "dev", link});
}

void add_address_here(const std::string &link, const std::string &address) {
    succeed({"ip", "link", "set", link, "up"});
    succeed({"ip", "addr", "add", address, "dev", link});
}

/// Whether the host gets an answer, once what is in between is up.
bool answers(const std::string &address) {
    return run({"ping", "-c5", "-i0.2", "-W5", address}).status == 0;
}

/// The host's end of a machine's link, and the machine's.
struct Ends {
    std::string host;
    std::string inside;
    friend bool operator==(const Ends &, const Ends &) = default;
};

Ends ends_of(const RunningMachine &machine, const std::string &host, const std::string &inside = "host0") {
    const json outer = host_link(host);
    EXPECT_EQ(kind_of(outer), "veth") << host;
    EXPECT_TRUE(is_up(outer)) << host;
    EXPECT_EQ(outer.at("link_index"), link_inside(machine, inside).at("ifindex")) << "they are no pair";
    return {.host = mac_of(outer), .inside = mac_seen_by(machine, inside)};
}

} // namespace

TEST_F(NetworkMachine, VethHasItsAddressesInEachRun) {
    const auto ends = [&](const std::string &name) {
        const Machine machine(name, on_tree({"-n"}));
        EXPECT_THAT(seen_by(machine), ElementsAre("host0", "lo"));
        return ends_of(machine, "ve-" + name);
    };
    const Ends first = ends("linked");
    EXPECT_NE(first.host, first.inside);
    EXPECT_EQ(ends("linked"), first);
    const Ends other = ends("linked2");
    EXPECT_NE(other.host, first.host);
    EXPECT_NE(other.inside, first.inside);
}

TEST_F(NetworkMachine, VethIsThereAfterAReboot) {
    Machine machine("linked", on_tree({"--network-veth", "--boot"}), {"ready"});
    const Ends before = ends_of(machine, "ve-linked");
    const json index = host_link("ve-linked").at("ifindex");
    berth_succeeds({"reboot", "linked"});
    machine.launcher().wait_for("test init is up");
    EXPECT_NE(host_link("ve-linked").at("ifindex"), index) << "it is that of the boot before";
    EXPECT_EQ(ends_of(machine, "ve-linked"), before);
    berth_succeeds({"poweroff", "linked"});
    EXPECT_EQ(machine.launcher().wait(), 0) << machine.launcher().err();
    EXPECT_TRUE(host_link("ve-linked").is_null());
}

TEST_F(NetworkMachine, VethOfUsersOfItsOwnIsTheirs) {
    const Machine machine("linked", on_tree({"-n", "-U"}));
    add_address_here("ve-linked", "10.99.0.1/24");
    add_address(machine, "host0", "10.99.0.2/24");
    EXPECT_TRUE(answers("10.99.0.2"));
}

TEST_F(NetworkMachine, LongNamesHaveAShortAndAFullOne) {
    const std::string stem = "a-machine-with-a-long-name-";
    const Machine one(stem + "1", on_tree({"-n"}));
    const Machine two(stem + "2", on_tree({"-n"}));
    std::vector<std::string> names;
    for (const Machine *machine : {&one, &two}) {
        const std::string full = "ve-" + machine->name();
        const json link = host_link(full);
        ASSERT_FALSE(link.is_null()) << full;
        EXPECT_EQ(link.at("altnames"), json::array({full}));
        EXPECT_THAT(link.at("ifname").get<std::string>(),
                    testing::AllOf(StartsWith("ve-a-mach"), SizeIs(15)));
        names.push_back(link.at("ifname"));
        (void)ends_of(*machine, full);
    }
    EXPECT_NE(names[0], names[1]);
}

TEST_F(NetworkMachine, BridgeConnectsMachines) {
    const Bridge bridge("testbr");
    const Machine one("bridged1", on_tree({"--network-bridge=testbr"}));
    const Machine two("bridged2", on_tree({"-n", "--network-bridge=testbr"}));
    for (const Machine *machine : {&one, &two}) {
        EXPECT_EQ(host_link("vb-" + machine->name()).at("master"), "testbr");
        EXPECT_TRUE(host_link("ve-" + machine->name()).is_null());
    }
    succeed({"ip", "link", "set", "testbr", "up"});
    add_address(one, "host0", "10.99.0.2/24");
    add_address(two, "host0", "10.99.0.3/24");
    one.exec({"ping", "-c5", "-W5", "10.99.0.3"});
}

TEST_F(NetworkMachine, ZoneIsThereForItsMachines) {
    auto first = std::make_unique<Machine>("zoned1", on_tree({"--network-zone=test"}));
    const json bridge = host_link("vz-test");
    ASSERT_FALSE(bridge.is_null());
    EXPECT_EQ(kind_of(bridge), "bridge");
    auto second = std::make_unique<Machine>("zoned2", on_tree({"--network-zone=test"}));
    EXPECT_EQ(host_link("vb-zoned1").at("master"), "vz-test");
    EXPECT_EQ(host_link("vb-zoned2").at("master"), "vz-test");
    add_address(*second, "host0", "10.99.0.3/24");
    add_address(*first, "host0", "10.99.0.2/24");
    first->exec({"ping", "-c5", "-W5", "10.99.0.3"});
    add_address_here("vz-test", "10.99.0.1/24");

    first.reset();
    EXPECT_EQ(host_link("vz-test").at("ifindex"), bridge.at("ifindex")) << "the second one is in it yet";
    EXPECT_TRUE(answers("10.99.0.3"));
    second.reset();
    EXPECT_TRUE(host_link("vz-test").is_null());
}

TEST_F(NetworkMachine, ZoneOfAKilledLauncherGoesWithTheNextMachine) {
    {
        Machine killed("zoned1", on_tree({"--network-zone=test"}));
        killed.launcher().send_signal(SIGKILL);
        killed.launcher().wait();
    }
    EXPECT_TRUE(eventually([] { return host_link("vb-zoned1").is_null(); }));
    EXPECT_FALSE(host_link("vz-test").is_null()) << "somebody else tidies up: this test proves nothing";
    EXPECT_EQ(run(run_words("zoned2", on_tree({"-n"}), {"true"})).status, 0);
    EXPECT_TRUE(host_link("vz-test").is_null());
}

TEST_F(NetworkMachine, ExtraVethsHaveTheNamesAskedFor) {
    const Machine machine("linked",
                          on_tree({"--network-veth-extra=x1:inside", "--network-veth-extra=x2", "-n"}));
    EXPECT_THAT(seen_by(machine), ElementsAre("host0", "inside", "lo", "x2"));
    const Ends own = ends_of(machine, "ve-linked");
    const Ends one = ends_of(machine, "x1", "inside");
    const Ends two = ends_of(machine, "x2", "x2");
    std::vector<std::string> macs{own.host, own.inside, one.host, one.inside, two.host, two.inside};
    std::ranges::sort(macs);
    EXPECT_EQ(std::ranges::adjacent_find(macs), macs.end()) << "two links have one address";
}

TEST_F(NetworkMachine, MacvlanIsOnTheHostsLink) {
    const Wire wire;
    add_address_here("wire1", "10.99.0.1/24");
    succeed({"ip", "link", "set", "wire0", "up"});
    const auto mac = [&] {
        const Machine machine("linked", on_tree({"--network-macvlan=wire0", "--network-macvlan=wire0:lan"}));
        EXPECT_THAT(seen_by(machine), ElementsAre("lan", "lo", "mv-wire0"));
        const json link = link_inside(machine, "mv-wire0");
        EXPECT_EQ(kind_of(link), "macvlan");
        EXPECT_EQ(link.at("linkinfo").at("info_data").at("mode"), "bridge");
        EXPECT_EQ(link.at("link_index"), host_link("wire0").at("ifindex"));
        EXPECT_NE(mac_seen_by(machine, "lan"), mac_of(link));
        add_address(machine, "mv-wire0", "10.99.0.2/24");
        EXPECT_TRUE(answers("10.99.0.2"));
        return mac_of(link);
    };
    const std::string first = mac();
    EXPECT_EQ(mac(), first);
}

TEST_F(NetworkMachine, InterfaceIsLentToTheMachine) {
    const Wire wire;
    add_address_here("wire1", "10.99.0.1/24");
    const std::string mac = mac_of(host_link("wire0"));
    {
        const Machine machine("linked", on_tree({"--network-interface=wire0:lan0"}));
        EXPECT_THAT(seen_by(machine), ElementsAre("lan0", "lo"));
        EXPECT_EQ(mac_seen_by(machine, "lan0"), mac);
        EXPECT_TRUE(host_link("wire0").is_null());
        add_address(machine, "lan0", "10.99.0.2/24");
        EXPECT_TRUE(answers("10.99.0.2"));
        EXPECT_THAT(run(run_words("other", on_tree({"--network-interface=wire0"}), {"true"})).err,
                    HasSubstr("the host has no interface wire0"));
        machine.exec({"ip", "link", "set", "lan0", "down"});
        machine.exec({"ip", "link", "set", "lan0", "name", "wire1"}); // which the host has, too
    }
    EXPECT_EQ(mac_of(host_link("wire0")), mac);
}

TEST_F(NetworkMachine, InterfaceComesBackForAReboot) {
    const Wire wire;
    const json index = host_link("wire0").at("ifindex");
    Machine machine("linked", on_tree({"--network-interface=wire0", "--boot"}), {"ready"});
    berth_succeeds({"reboot", "linked"});
    machine.launcher().wait_for("test init is up");
    EXPECT_EQ(link_inside(machine, "wire0").at("ifindex"), index);
    berth_succeeds({"poweroff", "linked"});
    EXPECT_EQ(machine.launcher().wait(), 0) << machine.launcher().err();
    EXPECT_EQ(host_link("wire0").at("ifindex"), index);
}

// The kernel gives hardware back when a network ends, but a virtual link ends with it: that the
// other end goes shows that nothing has held the network.
TEST_F(NetworkMachine, InterfaceIsFreedWhenTheLauncherIsKilled) {
    const Wire wire;
    Machine machine("linked", on_tree({"--network-interface=wire0", "--network-veth"}));
    machine.launcher().send_signal(SIGKILL);
    machine.launcher().wait();
    EXPECT_TRUE(eventually([] { return host_link("wire1").is_null(); }));
    EXPECT_TRUE(eventually([] { return host_link("ve-linked").is_null(); }));
    const Wire again;
    EXPECT_EQ(run(run_words("linked", on_tree({"--network-interface=wire0", "-n"}), {"true"})).status, 0);
    EXPECT_FALSE(host_link("wire0").is_null());
}

TEST_F(NetworkMachine, NamespaceIsEnteredAndLeftAsItIs) {
    const NetworkSpace space;
    space.exec({"ip", "link", "add", "here0", "type", "veth", "peer", "name", "here1"});
    {
        const Machine machine("linked", on_tree({"--network-namespace-path=" + space.path()}));
        EXPECT_THAT(seen_by(machine), ElementsAre("here0", "here1", "lo"));
        EXPECT_EQ(machine.exec({"readlink", "/proc/1/ns/net"}), succeed({"readlink", space.path()}));
        EXPECT_FALSE(is_up(link_inside(machine, "lo"))) << "it was not";
        add_address(machine, "here0", "10.99.0.2/24");
    }
    EXPECT_THAT(space.exec({"ip", "addr"}), HasSubstr("10.99.0.2/24"));
}

TEST_F(NetworkMachine, NetworkOfAnotherIsSharedWithIt) {
    const Machine owner("linked", on_tree({"-n"}));
    add_address_here("ve-linked", "10.99.0.1/24");
    {
        const Machine guest("guest", on_tree({"--network-of=linked"}));
        EXPECT_THAT(seen_by(guest), ElementsAre("host0", "lo"));
        EXPECT_EQ(mac_seen_by(guest, "host0"), mac_seen_by(owner, "host0"));
        add_address(guest, "host0", "10.99.0.2/24");
        EXPECT_THAT(owner.exec({"ip", "addr"}), HasSubstr("10.99.0.2/24"));
        EXPECT_EQ(guest.property("NetworkInterfaces"), "") << "the link is the other's";
    }
    EXPECT_TRUE(answers("10.99.0.2")) << "the link went with the guest";
}

TEST_F(NetworkMachine, PrivateNetworkIsTheLoopback) {
    const Bridge of_the_host("testbr");
    const Machine machine("linked", on_tree({"--private-network"}));
    EXPECT_THAT(seen_by(machine), ElementsAre("lo"));
    machine.exec({"ping", "-c1", "127.0.0.1"});
    const Machine open("open", on_tree());
    EXPECT_THAT(seen_by(open), ElementsAre("lo", "testbr"));
}
