// SPDX-License-Identifier: LGPL-2.1-or-later
// Machines that others reach: ports of the host that lead to them, and what berth tells of links
// and addresses.
#include <signal.h>

#include <map>

#include <nlohmann/json.hpp>

#include "base/env_file.hpp"
#include "support/host_test.hpp"
#include "support/links.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using nlohmann::json;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

/// Gives host0 addresses, and then goes on as `up`.
Words with_addresses(const std::string &up) {
    return {"sh", "-c",
            "ip link set host0 up; ip addr add 10.99.0.2/24 dev host0; ip addr add fd99::2/64 dev host0;"
            " ip addr add 169.254.7.7/16 scope link dev host0; "
                + up};
}

const Words serving = with_addresses("httpd -h /srv -p 80; echo up; exec sleep infinity");
const Words addressed = with_addresses("echo up; exec sleep infinity");

class NetworkReach : public HostTest {
protected:
    void SetUp() override {
        HostTest::SetUp();
        tree.write("srv/index.html", "hello\n");
    }
    [[nodiscard]] Words on_tree(Words more = {}) const {
        more.insert(more.begin(), {"-D", tree.path().native(), "-x"});
        return more;
    }

    SmallTree tree;
};

class NetworkReachWith : public NetworkReach, public testing::WithParamInterface<const char *> {};

/// Gives the host's end addresses of the same networks.
void address_host(const std::string &link) {
    for (const char *address : {"10.99.0.1/24", "fd99::1/64"})
        succeed({"ip", "addr", "add", address, "dev", link, "nodad"});
}

/// What a web server says to us at an address of socat(1)'s.
std::string page_at(const std::string &address) {
    const Outcome outcome = run({"socat", "-t5", "-T5", "-", address}, "GET / HTTP/1.0\r\n\r\n");
    const auto body = outcome.out.find("\r\n\r\n");
    return body == std::string::npos ? "" : outcome.out.substr(body + 4);
}

bool serves(const std::string &address) {
    return eventually([&] { return page_at(address) == "hello\n"; }, std::chrono::seconds(20));
}

/// Names of the tables of nftables that are berth's.
std::vector<std::string> tables() {
    std::vector<std::string> names;
    const json listed = json::parse(succeed({"nft", "-j", "list", "tables"}));
    for (const json &entry : listed.at("nftables"))
        if (const std::string name = entry.value("/table/name"_json_pointer, ""); name.starts_with("berth-"))
            names.push_back(name);
    return names;
}

/// A property of berthd's object of a machine.
json bus_property(const std::string &machine, const std::string &name) {
    return json::parse(succeed({"busctl", "-j", "get-property", "org.berth1",
                                "/org/berth1/machine/" + machine, "org.berth1.Machine", name}))
        .at("data");
}

std::map<std::string, std::string> state_of(const std::string &machine) {
    return berth::parse_env_file(text_of("/run/systemd/machines/" + machine));
}

json index_of(const std::string &link) {
    return host_link(link).at("ifindex");
}

} // namespace

TEST_P(NetworkReachWith, PortsLeadFromTheHost) {
    const Machine machine("reached", on_tree({"-n", "--port=tcp:18080:80", GetParam()}), serving);
    EXPECT_THAT(tables(), ElementsAre("berth-reached"));
    address_host("ve-reached");
    for (const char *address : {"TCP:10.99.0.2:80", "TCP:[fd99::2]:80"})
        EXPECT_TRUE(serves(address)) << address << " is the machine itself";
    for (const char *address : {"TCP:10.99.0.1:18080", "TCP:[fd99::1]:18080"})
        EXPECT_TRUE(serves(address)) << address;
    for (const char *address : {"TCP:127.0.0.1:18080", "TCP:[::1]:18080"})
        EXPECT_EQ(page_at(address), page_at("TCP:10.99.0.1:18080")) << address;
    EXPECT_EQ(page_at("TCP:10.99.0.1:80"), "") << "only what is asked for leads in";
}
INSTANTIATE_TEST_SUITE_P(Users, NetworkReachWith, testing::Values("--private-users=no", "-U"),
                         [](const auto &each) {
                             return std::string(each.param) == "-U" ? "OfItsOwn" : "OfTheHost";
                         });

TEST_F(NetworkReach, PortsLeadIntoAZone) {
    const Machine machine("reached", on_tree({"--network-zone=test", "-p", "18080:80"}), serving);
    address_host("vz-test");
    for (const char *address : {"TCP:10.99.0.1:18080", "TCP:[fd99::1]:18080"})
        EXPECT_TRUE(serves(address)) << address;
}

TEST_F(NetworkReach, PortsEndWithTheMachine) {
    {
        const Machine machine("reached", on_tree({"-n", "--port=18080:80"}));
        EXPECT_THAT(tables(), ElementsAre("berth-reached"));
    }
    EXPECT_THAT(tables(), IsEmpty());
}

TEST_F(NetworkReach, PortsEndWithTheLauncher) {
    const Words options = on_tree({"-n", "--port=18080:80"});
    {
        Machine machine("reached", options);
        EXPECT_THAT(tables(), ElementsAre("berth-reached"));
        machine.launcher().send_signal(SIGKILL);
        machine.launcher().wait();
        EXPECT_TRUE(eventually([] { return tables().empty(); }, std::chrono::seconds(20)));
    }
    const Machine next("reached", options, serving);
    address_host("ve-reached");
    EXPECT_TRUE(serves("TCP:10.99.0.1:18080"));
}

TEST_F(NetworkReach, PortsLeadIntoTheNextBootToo) {
    Machine machine("reached", on_tree({"-n", "--port=18080:80", "--boot"}), {"ready"});
    berth_succeeds({"reboot", "reached"});
    machine.launcher().wait_for("test init is up");
    EXPECT_THAT(tables(), ElementsAre("berth-reached"));
    address_host("ve-reached");
    Words command{"berth", "exec", "reached"};
    command.insert(command.end(), serving.begin(), serving.end());
    Process server(command);
    server.wait_for("up");
    EXPECT_TRUE(serves("TCP:10.99.0.1:18080"));
    berth_succeeds({"poweroff", "reached"});
    EXPECT_EQ(machine.launcher().wait(), 0);
    EXPECT_THAT(tables(), IsEmpty());
}

TEST_F(NetworkReach, PortsAreOneMachinesAtATime) {
    const auto start = [&](const std::string &ports) {
        return run(run_words("other", on_tree({"-n", "--port=18081", "--port=" + ports}), {"true"}));
    };
    {
        const Machine machine("reached", on_tree({"-n", "--port=18080:80"}), serving);
        address_host("ve-reached");
        const Outcome outcome = start("18080:90");
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.err, HasSubstr("port 18080 of the host leads into another machine already"));
        EXPECT_EQ(start("udp:18080:80").status, 0) << "that is another port";
        EXPECT_TRUE(serves("TCP:10.99.0.1:18080"));
    }
    EXPECT_EQ(start("18080:90").status, 0);
}

TEST_F(NetworkReach, PortsWithoutATableAreToldOf) {
    succeed({"nft", "create", "table", "inet", "berth-reached"});
    const Outcome outcome = run(run_words("reached", on_tree({"-n", "--port=18080:80"}), {"true"}));
    succeed({"nft", "delete", "table", "inet", "berth-reached"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("the nftables table berth-reached for the ports of machine reached"));
}

TEST_F(NetworkReach, LinksAreRegistered) {
    struct Row {
        Words options;
        std::vector<std::string> links;
    };
    const Wire wire;
    const Bridge bridge("testbr");
    for (const auto &[options, links] : {
             Row{{"-n"}, {"ve-reached"}},
             Row{{"--network-bridge=testbr"}, {"vb-reached"}},
             Row{{"-n", "--network-veth-extra=x1"}, {"ve-reached", "x1"}},
             Row{{"--network-interface=wire0", "--network-macvlan=wire1"}, {}},
             Row{{"--private-network"}, {}},
             Row{{}, {}},
         }) {
        const Machine machine("reached", on_tree(options));
        json indices = json::array();
        std::string text;
        for (const std::string &link : links) {
            indices.push_back(index_of(link));
            text += (text.empty() ? "" : " ") + indices.back().dump();
        }
        EXPECT_EQ(bus_property("reached", "NetworkInterfaces"), indices) << testing::PrintToString(options);
        const auto state = state_of("reached");
        EXPECT_EQ(state.contains("NETIF") ? state.at("NETIF") : "", text) << testing::PrintToString(options);
    }
}

TEST_F(NetworkReach, AddressesAreShown) {
    const Machine machine("reached", on_tree({"-n"}), addressed);
    const Machine closed("unreached", on_tree({"--private-network"}));
    ASSERT_TRUE(eventually([] { return berth_succeeds({"status", "reached"}).contains("fd99::2"); }));
    EXPECT_THAT(berth_succeeds({"list", "--no-legend", "--max-addresses=all"}),
                ContainsRegex("^reached +container berth busybox - 10\\.99\\.0\\.2\n +fd99::2\n"
                              "unreached +container berth busybox - -$"));
    EXPECT_THAT(berth_succeeds({"list", "--no-legend"}), ContainsRegex("10\\.99\\.0\\.2…\n"));
    EXPECT_THAT(berth_succeeds({"status", "reached"}),
                HasSubstr("\t   Iface: ve-reached\n\t Address: 10.99.0.2\n\t          fd99::2\n"));
    EXPECT_THAT(berth_succeeds({"status", "unreached"}),
                Not(AnyOf(HasSubstr("Iface"), HasSubstr("Address"))));
}
