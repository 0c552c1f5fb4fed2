// SPDX-License-Identifier: LGPL-2.1-or-later
// The same network options given to systemd-nspawn and to berth in the same host: the links are the
// same, but for a table of differences, each with its reason.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/env_file.hpp"
#include "base/format.hpp"
#include "base/parse.hpp"
#include "peer/differences.hpp"
#include "support/links.hpp"
#include "support/machine.hpp"
#include "support/network_space.hpp"
#include "support/options.hpp"

using namespace berth::test;
using nlohmann::json;

namespace {

struct Variant {
    const char *name;
    Words options;
    std::string machine = "probed";
};

std::ostream &operator<<(std::ostream &out, const Variant &variant) {
    return out << variant.name;
}

const std::vector<Variant> variants{
    {"private", {"--private-network"}},
    {"veth", {"--network-veth"}},
    {"users", {"--network-veth", "-U"}},
    {"long", {"--network-veth"}, "probed-under-a-long-name"},
    {"bridge", {"--network-bridge=testbr"}},
    {"zone", {"--network-zone=test"}},
    {"extra", {"--network-veth-extra=x1:inside", "--network-veth-extra=x2"}},
    {"macvlan", {"--network-macvlan=wire0", "--network-macvlan=wire0:lan"}},
    {"interface", {"--network-interface=wire0:lan0", "--network-interface=wire1"}},
    {"space", {"--network-namespace-path={space}"}},
};

/// systemd-nspawn asks udev whether links are ready, unless /sys cannot be written to, as in a
/// container, which a test host is.
const Words peer{"unshare",
                 "--mount",
                 "sh",
                 "-c",
                 "mount -o remount,bind,ro /sys && exec systemd-nspawn --quiet \"$@\"",
                 "systemd-nspawn"};
const Words ours{"berth", "run", "--quiet"};

/// A machine of either, until its end.
class Probed {
public:
    Probed(Words words, const std::string &name, const Words &options, const std::string &line = "")
        : name_(name), process_(all_words(std::move(words), name, options, line)) {
        process_.wait_for("up\n");
    }
    Probed(const Probed &) = delete;
    Probed &operator=(const Probed &) = delete;
    ~Probed() {
        try {
            process_.write("\n");
            EXPECT_EQ(process_.wait(), 0) << process_.err();
        } catch (const std::exception &error) {
            ADD_FAILURE() << "ending machine " << name_ << ": " << error.what();
        }
    }

    [[nodiscard]] std::string said() const { return process_.out(); }
    [[nodiscard]] std::string state(const std::string &key) const {
        const auto fields = berth::parse_env_file(text_of("/run/systemd/machines/" + name_));
        return fields.contains(key) ? fields.at(key) : "";
    }
    [[nodiscard]] std::string network() const {
        return network_of(static_cast<pid_t>(berth::parse_unsigned(state("LEADER")).value_or(0)));
    }

private:
    static Words all_words(Words words, const std::string &name, const Words &options,
                           const std::string &line) {
        words.insert(words.end(), {"--pipe", "--machine=" + name});
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"sh", "-c", line + "echo up; read line"});
        return words;
    }

    std::string name_;
    Process process_;
};

/// The name by which people look for it.
std::string full_name(const json &link) {
    return link.contains("altnames") ? link.at("altnames").at(0) : link.at("ifname");
}

void add_link(Facts &facts, const std::string &where, const json &link) {
    const std::string key = where + " " + full_name(link);
    facts[key] = berth::format("{}{}", kind_of(link), link.contains("master") ? ", in a bridge" : "");
    facts[key + " state"] = is_up(link) ? "up" : "down";
    facts[key + " address"] = link.value("address", "");
    if (link.contains("altnames"))
        facts[key + " name"] = link.at("ifname");
    if (const auto mode = "/linkinfo/info_data/mode"_json_pointer; link.contains(mode))
        facts[key + " mode"] = link.at(mode);
}

Facts facts_of_links(const Words &words, const Variant &variant, const std::string &tree,
                     const std::string &space) {
    Words options{"-D", tree, "-x"};
    for (const std::string &option : variant.options)
        options.push_back(option.ends_with("{space}") ? "--network-namespace-path=" + space : option);
    const auto before = names_of(host_links());
    const Probed machine(words, variant.machine, options, "ls /sys/class/net; ");
    Facts facts;
    for (const std::string &name : berth::split(machine.said(), '\n'))
        if (!name.empty() && name != "up")
            facts["sys " + name] = "there";
    for (const json &link : links_in(machine.network()))
        add_link(facts, "inside", link);
    std::string registered;
    const json now = host_links();
    for (const std::string &name : before)
        if (!std::ranges::contains(names_of(now), name))
            facts["host " + name] = "gone";
    for (const json &link : now) {
        if (!std::ranges::contains(before, link.at("ifname").get<std::string>()))
            add_link(facts, "host", link);
        if (std::ranges::contains(berth::split(machine.state("NETIF"), ' '), link.at("ifindex").dump()))
            registered += (registered.empty() ? "" : " ") + full_name(link);
    }
    facts["registered"] = registered;
    return facts;
}

class NetworkPeer : public HostTest, public testing::WithParamInterface<Variant> {};

} // namespace

TEST_P(NetworkPeer, MakesTheSameLinks) {
    const Wire wire;
    const Bridge bridge("testbr");
    const NetworkSpace space;
    const SmallTree tree;
    const auto facts = [&](const Words &words) {
        return facts_of_links(words, GetParam(), tree.path(), space.path());
    };
    const Facts mine = facts(ours);
    EXPECT_TRUE(mine.contains("inside lo"));
    expect_differences(mine, facts(peer), link_differences(), GetParam().name);
}
INSTANTIATE_TEST_SUITE_P(Options, NetworkPeer, testing::ValuesIn(variants),
                         [](const auto &each) { return std::string(each.param.name); });

class NetworkAddresses : public HostTest {};

// The peer tells of those, too, that are good on one link only.
TEST_F(NetworkAddresses, AreThoseThatThePeerTellsOf) {
    const SmallTree tree;
    const std::string line = "ip link set host0 up; ip addr add 10.99.0.2/24 dev host0;"
                             " ip addr add fd99::2/64 dev host0;"
                             " ip addr add 169.254.7.7/16 dev host0 scope link; ";
    const auto told = [&](const Words &words, const std::string &bus, const std::string &path) {
        const Probed machine(words, "probed", {"-D", tree.path(), "-x", "-n"}, line);
        succeed({"ip", "link", "set", "ve-probed", "up"});
        const std::string settled = berth::format(
            "nsenter --net={} ip -6 -o addr show dev host0 -tentative | wc -l", machine.network());
        EXPECT_TRUE(eventually([&] { return succeed({"sh", "-c", settled}) == "2"; }))
            << "one of ours, one of the kernel's";
        return json::parse(succeed({"busctl", "-j", "call", bus, path, bus + ".Manager",
                                    "GetMachineAddresses", "s", "probed"}))
            .at("data")
            .at(0);
    };
    const json mine = told(ours, "org.berth1", "/org/berth1");
    json theirs = told(peer, "org.freedesktop.machine1", "/org/freedesktop/machine1");
    EXPECT_EQ(std::erase_if(theirs.get_ref<json::array_t &>(),
                            [](const json &one) {
                                const auto begin = one.at(1).at(0).get<int>();
                                return begin == 169 || begin == 254;
                            }),
              2U);
    EXPECT_EQ(mine, theirs);
}

namespace {

/// What both refuse, and what a machine's own tools show.
const std::vector<OptionRow> rows{
    {"Veth", {"-x", "-n"}, "ls /sys/class/net", "host0\nlo", ""},
    {"NetAdmin",
     {"-x", "--private-network"},
     "ip link set lo mtu 1280; cat /sys/class/net/lo/mtu",
     "1280",
     ""},
    {"NetAdminDropped",
     {"-x", "--private-network", "--drop-capability=CAP_NET_ADMIN"},
     "ip link set lo down",
     "ip: SIOCSIFFLAGS: Operation not permitted",
     ""},
    {"BridgeThatIsNone", {"-x", "--network-bridge=none"}, "true", "", "there is no bridge none"},
    {"BridgeOfAnotherKind", {"-x", "--network-bridge=lo"}, "true", "", "which is no bridge"},
    {"BridgeAndZone",
     {"-x", "--network-bridge=testbr", "--network-zone=test"},
     "true",
     "",
     "cannot be on the bridge testbr and in the zone test"},
    {"LongZone", {"-x", "--network-zone=zone-of-too-many"}, "true", "", "--network-zone=zone-of-too-many"},
    {"InterfaceThatIsNone", {"-x", "--network-interface=none"}, "true", "", "no interface none"},
    {"InterfaceLoopback", {"-x", "--network-interface=lo"}, "true", "", "loopback lo cannot be given"},
    {"MacvlanOnNone", {"-x", "--network-macvlan=none"}, "true", "", "no interface none"},
    {"ExtraOfATakenName", {"-x", "--network-veth-extra=lo:x"}, "true", "", "the host has a link lo already"},
    {"ExtraOfANameTakenInside",
     {"-x", "-n", "--network-veth-extra=x:host0"},
     "true",
     "",
     "the machine has a link of that name already"},
    {"NamespaceThatIsNone",
     {"-x", "--network-namespace-path=/run/none"},
     "true",
     "",
     "opening the namespace /run/none"},
    {"NamespaceOfAnotherKind",
     {"-x", "--network-namespace-path=/proc/1/ns/mnt"},
     "true",
     "",
     "not a namespace of the kind \"net\""},
    {"NamespaceAndLinks",
     {"-x", "--network-namespace-path=/proc/1/ns/net", "-n"},
     "true",
     "",
     "a network that is shared has the links that it has"},
    {"PortZero", {"-x", "-n", "--port=0"}, "true", "", "is not a port from 1 to 65535"},
    {"PortOfAnotherProtocol", {"-x", "-n", "--port=sctp:80"}, "true", "", "--port=sctp:80"},
    {"PortTwice",
     {"-x", "-n", "--port=80", "--port=tcp:80:90"},
     "true",
     "",
     "port 80 of the host is forwarded twice"},
    {"PortAlone",
     {"-x", "--port=80"},
     "true",
     "",
     "--port=80: a port leads to a network of the machine's own"},
};

class NetworkOptions : public OptionRows {};

} // namespace

TEST_P(NetworkOptions, HoldInside) {
    check(GetParam());
}
TEST_P(NetworkOptions, HoldForThePeer) {
    check_beside_peer(GetParam(), option_difference("NetworkOptions", GetParam().name));
    // The tables in which it leads ports stay.
    for (const char *family : {"ip", "ip6"})
        (void)run({"nft", "delete", "table", family, "io.systemd.nat"});
}
INSTANTIATE_TEST_SUITE_P(Options, NetworkOptions, testing::ValuesIn(rows), name_of_row);
