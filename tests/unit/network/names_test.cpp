// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/names.hpp"

#include <gtest/gtest.h>

#include <set>

#include "network/ownership.hpp"

using namespace berth::network;

TEST(NetworkNames, ValidAreThoseTheKernelTakes) {
    for (const char *name : {"eth0", "a", "ve-web.1", "fifteen-letters", "x@y", "0x"})
        EXPECT_TRUE(interface_name_valid(name)) << name;
    for (const char *name : {"", ".", "..", "sixteen-letters-", "a b", "a/b", "a:b", "a%d", "12", "all",
                             "default", "tab\t", "line\n"})
        EXPECT_FALSE(interface_name_valid(name)) << name;
    EXPECT_TRUE(interface_name_valid("sixteen-letters-", longest_alternative_name));
}

TEST(NetworkNames, ShortOnesStayAsTheyAre) {
    EXPECT_EQ(shortened("ve-web"), "ve-web");
    EXPECT_EQ(shortened("fifteen-letters"), "fifteen-letters");
}

TEST(NetworkNames, LongOnesKeepTheirBeginningAndDiffer) {
    // Written down, so that nobody changes the hash by accident.
    EXPECT_EQ(shortened("averylonglinknamethere"), "averylongftfou2");
    std::set<std::string> names;
    for (int i = 0; i < 1000; ++i) {
        const std::string name = shortened("ve-one-of-many-machines-" + std::to_string(i));
        EXPECT_EQ(name.size(), longest_name);
        EXPECT_TRUE(name.starts_with("ve-one-of"));
        EXPECT_TRUE(interface_name_valid(name));
        names.insert(name);
    }
    EXPECT_GE(names.size(), 999U);
}

TEST(NetworkNames, OfAMachinesLinkAndOfZones) {
    EXPECT_EQ(veth_name("web", false), "ve-web");
    EXPECT_EQ(veth_name("web", true), "vb-web");
    EXPECT_EQ(zone_bridge("inner"), "vz-inner");
}

TEST(NetworkMac, FollowsFromHostMachineLinkAndSide) {
    const std::string host(32, 'a');
    const Mac mac = stable_mac(host, "web", "host0", Side::machine);
    EXPECT_EQ(mac, stable_mac(host, "web", "host0", Side::machine));
    EXPECT_NE(mac, stable_mac(std::string(32, 'b'), "web", "host0", Side::machine));
    EXPECT_NE(mac, stable_mac(host, "web2", "host0", Side::machine));
    EXPECT_NE(mac, stable_mac(host, "web", "host1", Side::machine));
    EXPECT_NE(mac, stable_mac(host, "web", "host0", Side::host));
    EXPECT_NE(stable_mac(host, "ab", "c", Side::host), stable_mac(host, "a", "bc", Side::host));
    // As above: people have these in their DHCP servers.
    EXPECT_EQ(mac, (Mac{0xf6, 0xc3, 0x33, 0x0a, 0xaf, 0xc1}));
}

TEST(NetworkMac, IsUnicastAndLocallyAdministered) {
    for (int i = 0; i < 100; ++i) {
        const Mac mac = stable_mac("", std::to_string(i), "host0", Side::host);
        EXPECT_EQ(mac[0] & 3U, 2U) << i;
    }
}

TEST(NetworkOwnership, AliasIsReadBack) {
    const Owner owner{.machine = "web.example", .netns = 4026532255};
    EXPECT_EQ(owner_in(alias_of(owner)), owner);
}

TEST(NetworkOwnership, OthersAliasesAreNotOurs) {
    for (const char *alias : {"", "berth zone", "berth web", "berth web x", "berth web 1 2", "uplink web 1",
                              "berth -bad- 1", "berth web -1"})
        EXPECT_FALSE(owner_in(alias)) << alias;
}
