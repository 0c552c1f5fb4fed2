// SPDX-License-Identifier: LGPL-2.1-or-later
// Links of machines: berth-network setup and release.
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "launch/network.hpp"
#include "support/host_test.hpp"
#include "support/links.hpp"
#include "support/network_space.hpp"

using namespace berth::test;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

std::vector<std::string> names_in(const NetworkSpace &space) {
    return names_of(links_in(space.path()));
}

class NetworkLinks : public HostTest {};

} // namespace

TEST_F(NetworkLinks, VethConnectsHostAndMachine) {
    const NetworkSpace space;
    const json made = json::parse(network_succeeds("setup", space, "web", R"("veth":true)"));
    const json outer = host_link("ve-web");
    const json inner = link_in(space.path(), "host0");
    ASSERT_FALSE(outer.is_null());
    ASSERT_FALSE(inner.is_null());
    EXPECT_EQ(made.at("interfaces"), json::array({outer.at("ifindex")}));
    EXPECT_TRUE(is_up(outer));
    EXPECT_TRUE(is_up(link_in(space.path(), "lo")));
    EXPECT_EQ(outer.at("linkinfo").at("info_kind"), "veth");

    succeed({"ip", "addr", "add", "10.99.0.1/24", "dev", "ve-web"});
    space.exec({"ip", "addr", "add", "10.99.0.2/24", "dev", "host0"});
    space.exec({"ip", "link", "set", "host0", "up"});
    succeed({"ping", "-c", "1", "-W", "5", "10.99.0.2"});
}

TEST_F(NetworkLinks, HardwareAddressesAreTheSameInEachRun) {
    const auto addresses = [](const std::string &machine) {
        NetworkSpace space;
        network_succeeds("setup", space, machine, R"("veth":true,"veth_extra":[["x1",""]])");
        std::vector<std::string> all;
        for (const json &link : {host_link("ve-" + machine), link_in(space.path(), "host0"), host_link("x1"),
                                 link_in(space.path(), "x1")})
            all.push_back(link.at("address"));
        network_succeeds("release", space, machine, R"("veth":true,"veth_extra":[["x1",""]])");
        return all;
    };
    const auto web = addresses("web");
    EXPECT_EQ(std::set(web.begin(), web.end()).size(), web.size());
    EXPECT_EQ(addresses("web"), web);
    EXPECT_NE(addresses("web2"), web);
}

TEST_F(NetworkLinks, LongNamesAreShortenedAndKeptAside) {
    const NetworkSpace space;
    const std::string machine = "a-machine-with-a-long-name";
    const json made = json::parse(network_succeeds("setup", space, machine, R"("veth":true)"));
    const json link = host_link("ve-" + machine); // ip finds it by its alternative name
    ASSERT_FALSE(link.is_null());
    EXPECT_EQ(link.at("ifindex"), made.at("interfaces").at(0));
    EXPECT_THAT(link.at("ifname").get<std::string>(),
                AllOf(testing::StartsWith("ve-a-mach"), testing::SizeIs(15)));
}

TEST_F(NetworkLinks, BridgeTakesTheHostsEnd) {
    const NetworkSpace space;
    EXPECT_THAT(network("setup", space, "web", R"("bridge":"testbr")").err, HasSubstr("no bridge testbr"));
    succeed({"ip", "link", "add", "testbr", "type", "bridge"});
    network_succeeds("setup", space, "web", R"("bridge":"testbr")");
    EXPECT_EQ(host_link("vb-web").at("master"), "testbr");
    network_succeeds("release", space, "web", R"("bridge":"testbr")");
    EXPECT_TRUE(host_link("vb-web").is_null());
    EXPECT_FALSE(host_link("testbr").is_null()) << "it is not ours to remove";
    succeed({"ip", "link", "del", "testbr"});
    EXPECT_THAT(network("setup", space, "web", R"("bridge":"lo")").err, HasSubstr("is no bridge"));
}

TEST_F(NetworkLinks, ZoneExistsWhileMachinesAreInIt) {
    const NetworkSpace first;
    const NetworkSpace second;
    network_succeeds("setup", first, "first", R"("zone":"test")");
    const json bridge = host_link("vz-test");
    ASSERT_FALSE(bridge.is_null());
    EXPECT_TRUE(is_up(bridge));
    network_succeeds("setup", second, "second", R"("zone":"test")");
    EXPECT_EQ(host_link("vz-test").at("ifindex"), bridge.at("ifindex"));
    EXPECT_EQ(host_link("vz-test").at("address"), bridge.at("address"));
    EXPECT_EQ(host_link("vb-second").at("master"), "vz-test");
    network_succeeds("release", first, "first", R"("zone":"test")");
    EXPECT_FALSE(host_link("vz-test").is_null());
    network_succeeds("release", second, "second", R"("zone":"test")");
    EXPECT_TRUE(host_link("vz-test").is_null());
    network_succeeds("release", second, "second", R"("zone":"test")");
}

TEST_F(NetworkLinks, ZoneOfAKilledLauncherIsSweptByAnothers) {
    NetworkSpace killed;
    const NetworkSpace other;
    network_succeeds("setup", killed, "killed", R"("zone":"test")");
    killed.end();
    EXPECT_TRUE(eventually([] { return host_link("vb-killed").is_null(); }));
    EXPECT_FALSE(host_link("vz-test").is_null());
    succeed({"ip", "link", "add", "vz-alien", "type", "bridge"});
    network_succeeds("release", other, "other", "");
    EXPECT_TRUE(host_link("vz-test").is_null());
    EXPECT_FALSE(host_link("vz-alien").is_null()) << "it is not ours to sweep";
    succeed({"ip", "link", "del", "vz-alien"});
}

TEST_F(NetworkLinks, ExtraVethsHaveTheNamesAskedFor) {
    const NetworkSpace space;
    network_succeeds("setup", space, "web", R"("veth_extra":[["x1","inside"],["x2",""]])");
    EXPECT_THAT(names_in(space), ElementsAre("lo", "inside", "x2"));
    EXPECT_TRUE(is_up(host_link("x1")));
    EXPECT_TRUE(is_up(host_link("x2")));
}

TEST_F(NetworkLinks, InterfaceIsLentUnderAnotherName) {
    const Wire wire;
    const NetworkSpace space;
    const std::string rest = R"("interfaces":[["wire0","lan0"]])";
    const json made = json::parse(network_succeeds("setup", space, "web", rest));
    EXPECT_TRUE(host_link("wire0").is_null());
    EXPECT_THAT(names_in(space), ElementsAre("lo", "lan0"));
    network_succeeds("release", space, "web", rest);
    EXPECT_FALSE(host_link("wire0").is_null());
    network_succeeds("release", space, "web", rest);
    EXPECT_EQ(made.at("moved").at(0).at(0), "wire0");
}

TEST_F(NetworkLinks, InterfaceComesBackWhateverTheMachineCallsIt) {
    const Wire wire;
    const NetworkSpace space;
    const std::string rest = R"("interfaces":[["wire0",""]])";
    const json made = json::parse(network_succeeds("setup", space, "web", rest));
    space.exec({"ip", "link", "set", "wire0", "name", "wire1"}); // the host has one of that name
    space.exec({"ip", "link", "property", "add", "dev", "wire1", "altname", "lo-too"});
    space.exec({"ip", "link", "property", "add", "dev", "wire1", "altname", "wire0"});
    succeed({"ip", "link", "property", "add", "dev", "wire1", "altname", "lo-too"});
    network_succeeds("release", space, "web", rest + R"(,"moved":)" + made.at("moved").dump());
    EXPECT_THAT(names_in(space), ElementsAre("lo"));
    EXPECT_FALSE(host_link("wire0").is_null());
}

TEST_F(NetworkLinks, MacvlanIsOnTopOfAnInterface) {
    const Wire wire;
    const NetworkSpace space;
    network_succeeds("setup", space, "web", R"("macvlan":[["wire0",""],["wire1","lan"]])");
    const json link = link_in(space.path(), "mv-wire0");
    ASSERT_FALSE(link.is_null());
    EXPECT_EQ(link.at("linkinfo").at("info_kind"), "macvlan");
    EXPECT_EQ(link.at("linkinfo").at("info_data").at("mode"), "bridge");
    EXPECT_FALSE(link_in(space.path(), "lan").is_null());
}

TEST_F(NetworkLinks, IpvlanIsOnTopOfAnInterface) {
    const Wire wire;
    const NetworkSpace space;
    const Outcome outcome = network("setup", space, "web", R"("ipvlan":[["wire0",""]])");
    if (run({"ip", "link", "add", "probe", "link", "wire0", "type", "ipvlan"}).status != 0) {
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.err, AllOf(HasSubstr("iv-wire0"), HasSubstr("kernel has no ipvlan links")));
        GTEST_SKIP() << "this kernel has no ipvlan links, which berth-network said: " << outcome.err;
    }
    succeed({"ip", "link", "del", "probe"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(link_in(space.path(), "iv-wire0").at("linkinfo").at("info_kind"), "ipvlan");
}

TEST_F(NetworkLinks, FailureLeavesNothing) {
    const Wire wire;
    const NetworkSpace space;
    const Outcome outcome = network(
        "setup", space, "web",
        R"("zone":"test","veth_extra":[["x1",""]],"interfaces":[["wire0","lan"]],"macvlan":[["wire1",""],["none",""]])");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("no interface none"), testing::EndsWith("starts\n")));
    EXPECT_THAT(names_in(space), ElementsAre("lo"));
    for (const char *gone : {"vz-test", "vb-web", "x1"})
        EXPECT_TRUE(host_link(gone).is_null()) << gone;
    EXPECT_FALSE(host_link("wire0").is_null());
}

TEST_F(NetworkLinks, NothingIsLeftWhereverItIsKilled) {
    const Wire wire;
    const std::string rest =
        R"("zone":"test","veth_extra":[["a-long-name-of-a-link","x"]],"interfaces":[["wire0","lan"]],"macvlan":[["wire1",""]])";
    int survived_at = 0;
    for (int step = 1; survived_at == 0 && step < 200; ++step) {
        NetworkSpace space;
        Words words =
            under_strace({"--trace=sendmsg", "--inject=sendmsg:signal=KILL:when=" + std::to_string(step)});
        const Words setup = network_words("setup", space.path());
        words.insert(words.end(), setup.begin(), setup.end());
        if (run(words, network_request("web", rest)).status == 0)
            survived_at = step;
        network_succeeds("release", space, "web", rest); // as the launcher does
        EXPECT_FALSE(host_link("wire0").is_null()) << "killed at request " << step;
        space.end();
        for (const char *gone : {"vz-test", "vb-web", "a-long-name-of-a-link", "mv-wire1"})
            EXPECT_TRUE(eventually([&] { return host_link(gone).is_null(); })) << gone << ", at " << step;
    }
    EXPECT_GT(survived_at, 20) << "it was not killed at all";
}

TEST_F(NetworkLinks, LinkOfAnEndedRunIsReplaced) {
    NetworkSpace ended;
    const berth::unique_fd held = ended.open(); // as by a launcher that hangs
    network_succeeds("setup", ended, "web", R"("veth":true)");
    const NetworkSpace space;
    const Outcome outcome = network("setup", space, "web", R"("veth":true)");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("ve-web"), HasSubstr("running")));
    const json old = host_link("ve-web");
    ended.end();
    network_succeeds("setup", space, "web", R"("veth":true)");
    EXPECT_NE(host_link("ve-web").at("ifindex"), old.at("ifindex"));
}

TEST_F(NetworkLinks, LinkOfSomebodyElseIsNotTouched) {
    const NetworkSpace space;
    succeed({"ip", "link", "add", "ve-web", "type", "veth", "peer", "name", "alien"});
    const json alien = host_link("ve-web");
    const Outcome outcome = network("setup", space, "web", R"("veth":true)");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("ve-web"), HasSubstr("not machine web's")));
    EXPECT_EQ(host_link("ve-web").at("ifindex"), alien.at("ifindex"));
    succeed({"ip", "link", "del", "alien"});
}

TEST_F(NetworkLinks, OwnNamespaceAndNonsenseAreRefused) {
    const Outcome own =
        run(network_words("setup", "/proc/self/ns/net"), network_request("web", R"("veth":true)"));
    EXPECT_EQ(own.status, 1);
    EXPECT_THAT(own.err, HasSubstr("no network namespace of its own"));
    for (const char *other : {"/proc/self/ns/mnt", "/etc/passwd"})
        EXPECT_THAT(run(network_words("setup", other), network_request("web", "")).err,
                    HasSubstr("is no network namespace"))
            << other;
    EXPECT_THAT(run(network_words("setup", "/dev/null"), "nonsense").err, HasSubstr("reading the request"));
    EXPECT_THAT(run(network_words("nonsense", "/dev/null")).err, HasSubstr("usage"));
}

TEST_F(NetworkLinks, LauncherGetsLinksAndWords) {
    namespace net = berth::network;
    const Wire wire;
    const NetworkSpace space;
    const berth::unique_fd netns = space.open();
    const net::Plan plan{.veth = true, .interfaces = {{"wire0", "lan"}}};
    const net::Links links = net::setup(plan, "web", netns.get());
    EXPECT_THAT(links.interfaces, ElementsAre(host_link("ve-web").at("ifindex").get<int>()));
    EXPECT_THAT(names_in(space), testing::UnorderedElementsAre("lo", "host0", "lan"));
    try {
        (void)net::setup(plan, "web", netns.get());
        ADD_FAILURE() << "the same was set up twice";
    } catch (const berth::Error &error) {
        EXPECT_THAT(error.what(), testing::StartsWith("the host's link ve-web leads to a machine web"));
    }
    EXPECT_FALSE(host_link("ve-web").is_null()) << "the failure took the running machine's link away";
    EXPECT_EQ(net::release(plan, "web", netns.get(), links.moved), "");
    EXPECT_FALSE(host_link("wire0").is_null());
    EXPECT_TRUE(host_link("ve-web").is_null());
}

TEST_F(NetworkLinks, LoopbackAloneNeedsNoProgram) {
    // A thread can have a network namespace of its own.
    std::thread([] {
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
        const berth::unique_fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const auto flags = [&] {
            ifreq request{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
            EXPECT_EQ(::ioctl(socket.get(), SIOCGIFFLAGS, &request), 0);
            return request.ifr_flags;
        };
        EXPECT_EQ(flags() & IFF_UP, 0);
        berth::network::raise_loopback();
        EXPECT_NE(flags() & IFF_UP, 0);
    }).join();
}
