// SPDX-License-Identifier: LGPL-2.1-or-later
// Ports of machines: berth-network expose.
#include <signal.h>

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/io.hpp"
#include "launch/network.hpp"
#include "support/host_test.hpp"
#include "support/network_space.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

namespace net = berth::network;

/// A setting of the kernel's, put back at the end.
class Sysctl {
public:
    Sysctl(std::string path, std::string_view value)
        : path_(std::move(path)), before_(berth::read_file(path_)) {
        berth::write_control(path_, value);
    }
    Sysctl(const Sysctl &) = delete;
    Sysctl &operator=(const Sysctl &) = delete;
    ~Sysctl() { berth::write_control(path_, before_); }

private:
    std::string path_;
    std::string before_;
};

std::string tables() {
    return succeed({"nft", "list", "tables"});
}

std::string rules() {
    return succeed({"nft", "list", "ruleset"});
}

/// A machine that the host reaches by a veth, and a peer elsewhere that reaches the host.
class NetworkPorts : public HostTest {
protected:
    void SetUp() override {
        HostTest::SetUp();
        ipv4_.emplace("/proc/sys/net/ipv4/ip_forward", "0");
        ipv6_.emplace("/proc/sys/net/ipv6/conf/all/forwarding", "1");
        machine_.emplace();
        peer_.emplace();
        network_succeeds("setup", *machine_, "web", R"("veth":true)");
        succeed({"ip", "link", "add", "up0", "type", "veth", "peer", "name", "in", "netns", peer_->path()});
        for (const char *address : {"192.0.2.1/24", "2001:db8::1/64"})
            succeed({"ip", "addr", "add", address, "dev", "up0", "nodad"});
        succeed({"ip", "link", "set", "up0", "up"});
        for (const char *address : {"192.0.2.2/24", "2001:db8::2/64"})
            peer_->exec({"ip", "addr", "add", address, "dev", "in", "nodad"});
        peer_->exec({"ip", "link", "set", "in", "up"});
        for (const char *address : {"10.99.0.1/24", "fd99::1/64"})
            succeed({"ip", "addr", "add", address, "dev", "ve-web", "nodad"});
    }
    void TearDown() override {
        machine_.reset();
        peer_.reset();
        ipv4_.reset();
        ipv6_.reset();
        EXPECT_THAT(tables(), Not(HasSubstr("berth-")));
        HostTest::TearDown();
    }

    void add_addresses(const Words &addresses) {
        machine_->exec({"ip", "link", "set", "host0", "up"});
        for (const std::string &address : addresses)
            machine_->exec({"ip", "addr", "add", address, "dev", "host0", "nodad"});
    }

    void address_machine() {
        add_addresses({"10.99.0.2/24", "fd99::2/64"});
        machine_->exec({"ip", "route", "add", "default", "via", "10.99.0.1"});
        machine_->exec({"ip", "-6", "route", "add", "default", "via", "fd99::1"});
    }

    std::unique_ptr<Process> expose(const std::string &ports) {
        auto exposing = std::make_unique<Process>(network_words("expose", machine_->path()));
        exposing->write(network_request("web", R"("veth":true,"ports":[)" + ports + "]"));
        exposing->wait_for("ready\n");
        return exposing;
    }

    /// What answers when one connects from `from`, or from the host.
    static std::string answer(const NetworkSpace *from, const std::string &to) {
        const Words words{"socat", "-T3", "-u", to, "-"};
        return run(from != nullptr ? from->words(words) : words).out;
    }

    static constexpr const char *web_port = R"({"protocol":"tcp","host":8080,"machine":80})";

    std::optional<Sysctl> ipv4_;
    std::optional<Sysctl> ipv6_;
    std::optional<NetworkSpace> machine_;
    std::optional<NetworkSpace> peer_;
};

bool rules_hold(const std::string &text) {
    return eventually([&] { return rules().contains(text); }, std::chrono::seconds(10));
}

} // namespace

TEST_F(NetworkPorts, LeadIntoTheMachine) {
    address_machine();
    const auto exposing = expose(std::string(web_port) + R"(,{"protocol":"udp","host":9090,"machine":90})");
    EXPECT_EQ(berth::read_file("/proc/sys/net/ipv4/ip_forward"), "1\n");
    const Process tcp(machine_->words({"socat", "TCP6-LISTEN:80,fork,reuseaddr", "SYSTEM:echo hello"}));
    const Process udp(machine_->words({"socat", "-T2", "UDP6-LISTEN:90,fork", "SYSTEM:cat"}));
    ASSERT_TRUE(eventually([&] {
        const std::string sockets = machine_->exec({"ss", "-Hlntu"});
        return sockets.contains(":80 ") && sockets.contains(":90 ");
    }));
    for (const char *to : {"TCP:192.0.2.1:8080", "TCP:[2001:db8::1]:8080"}) {
        EXPECT_EQ(answer(&*peer_, to), "hello\n") << "from elsewhere to " << to;
        EXPECT_EQ(answer(nullptr, to), "hello\n") << "from the host to " << to;
    }
    for (const char *to : {"UDP:192.0.2.1:9090", "UDP:[2001:db8::1]:9090"})
        EXPECT_EQ(run(peer_->words({"socat", "-T1", "-", to}), "echoed\n").out, "echoed\n") << to;
    EXPECT_EQ(answer(&*peer_, "TCP:192.0.2.1:80"), "") << "only what is asked for leads in";
}

TEST_F(NetworkPorts, AreOnTheLoopbackAndOnAddressesOfALink) {
    const auto exposing = expose(std::string(web_port) + R"(,{"protocol":"udp","host":9090,"machine":90})");
    const std::string link_local =
        succeed({"sh", "-c", "ip -6 -o addr show dev up0 scope link | sed 's/.*inet6 //; s,/.*,,'"});
    const Words on_tcp{"TCP:127.0.0.1:8080", "TCP:[::1]:8080", "TCP:[" + link_local + "%up0]:8080"};
    for (const std::string &to : on_tcp)
        EXPECT_EQ(answer(nullptr, to), "") << "there is nobody yet: " << to;
    address_machine();
    const Process tcp(machine_->words({"socat", "TCP6-LISTEN:80,fork,reuseaddr", "SYSTEM:echo hello; cat"}));
    const Process udp(machine_->words({"socat", "-T2", "UDP6-LISTEN:90,fork", "SYSTEM:cat"}));
    ASSERT_TRUE(eventually([&] { return answer(nullptr, on_tcp.front()) == "hello\n"; }));
    for (const std::string &to : on_tcp)
        EXPECT_EQ(answer(nullptr, to), "hello\n") << to;
    EXPECT_EQ(answer(&*peer_, "TCP:[" + link_local + "%in]:8080"), "hello\n") << "from the link";
    for (const char *to : {"UDP:127.0.0.1:9090", "UDP:[::1]:9090"})
        EXPECT_EQ(run({"socat", "-T1", "-", to}, "echoed\n").out, "echoed\n") << to;
    // Much, both ways, and the end of one way is no end of the other.
    const std::string much(3000000, 'x');
    EXPECT_EQ(run({"socat", "-T9", "-t9", "-", "TCP:127.0.0.1:8080"}, much).out, "hello\n" + much);
    // What a link gets later is followed; what it loses is not listened on.
    succeed({"ip", "link", "set", "up0", "down"});
    EXPECT_TRUE(eventually([&] { return !succeed({"ss", "-Hlnt"}).contains(link_local); }));
}

TEST_F(NetworkPorts, OfTheLoopbackStayTheHostsWhereItHasThem) {
    address_machine();
    const Process host({"socat", "TCP4-LISTEN:8080,bind=127.0.0.1,fork,reuseaddr", "SYSTEM:echo host"});
    ASSERT_TRUE(eventually([] { return succeed({"ss", "-Hlnt"}).contains("127.0.0.1:8080"); }));
    {
        const auto exposing = expose(web_port);
        const Process tcp(machine_->words({"socat", "TCP6-LISTEN:80,fork,reuseaddr", "SYSTEM:echo hello"}));
        EXPECT_TRUE(eventually([&] { return answer(nullptr, "TCP:[::1]:8080") == "hello\n"; }));
        EXPECT_EQ(answer(nullptr, "TCP:127.0.0.1:8080"), "host\n");
    }
    EXPECT_TRUE(eventually([] { return !succeed({"ss", "-Hlnt"}).contains("[::1]:8080"); }))
        << "nothing is left";
}

TEST_F(NetworkPorts, FollowTheMachinesAddress) {
    const auto exposing = expose(web_port);
    EXPECT_THAT(rules(), Not(HasSubstr("dnat")));
    address_machine();
    EXPECT_TRUE(rules_hold("dnat ip to 10.99.0.2:80"));
    EXPECT_TRUE(rules_hold("dnat ip6 to [fd99::2]:80"));
    machine_->exec({"ip", "addr", "add", "10.99.0.3/24", "dev", "host0"});
    machine_->exec({"ip", "addr", "del", "10.99.0.2/24", "dev", "host0"});
    // Removing the first address of a network removes the others, too, unless told not to.
    machine_->exec({"ip", "addr", "replace", "10.99.0.3/24", "dev", "host0"});
    EXPECT_TRUE(rules_hold("dnat ip to 10.99.0.3:80"));
    EXPECT_THAT(rules(), Not(HasSubstr("10.99.0.2")));
    machine_->exec({"ip", "addr", "flush", "dev", "host0"});
    EXPECT_TRUE(eventually([] { return !rules().contains("dnat"); }));
}

TEST_F(NetworkPorts, NeverLeadToWhereTheMachineIsNot) {
    const auto exposing = expose(web_port);
    // The host's own, another host's, one that nobody has, of the loopback, of one link only.
    add_addresses({"10.99.0.1/24", "192.0.2.1/24", "192.0.2.2/24", "198.51.100.7/24", "127.0.0.9/8",
                   "fd99::1/64", "2001:db8::2/64"});
    succeed({"ip", "route", "add", "10.98.0.77/32", "dev", "ve-web"});
    machine_->exec({"ip", "addr", "add", "10.98.0.77/24", "dev", "host0", "scope", "link"});
    add_addresses({"10.99.0.2/24", "fd99::2/64"});
    EXPECT_TRUE(rules_hold("dnat ip to 10.99.0.2:80"));
    EXPECT_TRUE(rules_hold("dnat ip6 to [fd99::2]:80"));
    for (const char *not_there :
         {" 10.99.0.1:", " 10.98.0.77:", "192.0.2.", "198.51.100.", "127.0.0.9", "[fd99::1]", "[2001"})
        EXPECT_THAT(rules(), Not(HasSubstr(not_there)));
}

TEST_F(NetworkPorts, AnAddressWithoutARouteIsTakenOnceTheHostHasOne) {
    const auto exposing = expose(web_port);
    machine_->exec({"ip", "link", "set", "host0", "up"});
    machine_->exec({"ip", "addr", "add", "198.51.100.7/24", "dev", "host0"});
    succeed({"ip", "route", "add", "198.51.100.7/32", "dev", "ve-web"});
    EXPECT_TRUE(rules_hold("dnat ip to 198.51.100.7:80"));
    succeed({"ip", "route", "del", "198.51.100.7/32", "dev", "ve-web"});
    EXPECT_TRUE(eventually([] { return !rules().contains("dnat"); }));
}

TEST_F(NetworkPorts, EndWithTheInput) {
    address_machine();
    const auto exposing = expose(web_port);
    EXPECT_THAT(tables(), HasSubstr("table inet berth-web"));
    EXPECT_THAT(rules(), HasSubstr("dnat ip to 10.99.0.2:80"));
    exposing->write("what comes later is only waited on\n");
    EXPECT_TRUE(rules_hold("dnat"));
    exposing->close_input();
    EXPECT_EQ(exposing->wait(), 0);
    EXPECT_EQ(exposing->err(), "");
    EXPECT_THAT(tables(), Not(HasSubstr("berth-web")));
}

TEST_F(NetworkPorts, EndWhenTheProgramIsKilled) {
    address_machine();
    const auto exposing = expose(web_port);
    EXPECT_NE(run({"nft", "delete", "table", "inet", "berth-web"}).status, 0) << "others can remove it";
    exposing->send_signal(SIGKILL);
    EXPECT_EQ(exposing->wait(), 128 + SIGKILL);
    EXPECT_TRUE(eventually([] { return !tables().contains("berth-web"); }, std::chrono::seconds(10)));
}

TEST_F(NetworkPorts, EndWithTheParent) {
    Words words = network_words("expose", machine_->path());
    words[2] = R"(exec 5<"$1"; /usr/libexec/berth/berth-network "$0"; true)"; // sh stays
    Process parent(words);
    parent.write(network_request("web", std::string(R"("ports":[)") + web_port + "]"));
    parent.wait_for("ready\n");
    parent.send_signal(SIGKILL);
    EXPECT_TRUE(eventually([] { return !tables().contains("berth-web"); }, std::chrono::seconds(10)));
}

TEST_F(NetworkPorts, AreForwardedOnceOnly) {
    const auto exposing = expose(web_port);
    const Outcome second = network("expose", *machine_, "web", std::string(R"("ports":[)") + web_port + "]");
    EXPECT_EQ(second.status, 1);
    EXPECT_EQ(second.out, "");
    EXPECT_THAT(second.err, AllOf(HasSubstr("the nftables table berth-web for the ports of machine web")));
}

TEST_F(NetworkPorts, IPv6WithoutForwardingIsSaid) {
    const Sysctl off("/proc/sys/net/ipv6/conf/all/forwarding", "0");
    address_machine();
    const auto exposing = expose(web_port);
    exposing->close_input();
    EXPECT_EQ(exposing->wait(), 0);
    EXPECT_THAT(exposing->err(), HasSubstr("net.ipv6.conf.all.forwarding=1"));
}

TEST_F(NetworkPorts, LauncherHoldsThemForAsLongAsItLikes) {
    address_machine();
    const berth::unique_fd netns = machine_->open();
    const net::Plan plan{.veth = true, .ports = {{.host = 8080, .machine = 80}}};
    {
        const net::Exposure exposure(plan, "web", netns.get());
        EXPECT_THAT(rules(), HasSubstr("dnat ip to 10.99.0.2:80"));
        try {
            const net::Exposure second(plan, "web", netns.get());
            ADD_FAILURE() << "the same ports were forwarded twice";
        } catch (const berth::Error &error) {
            EXPECT_THAT(error.what(), testing::StartsWith("making the nftables table berth-web"));
        }
        EXPECT_THAT(rules(), HasSubstr("dnat ip to 10.99.0.2:80"));
    }
    EXPECT_THAT(tables(), Not(HasSubstr("berth-web")));
}
