// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "expect_error.hpp"
#include "network/table.hpp"

using namespace berth::network;
using berth::test::error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

Plan full_plan() {
    return {.veth = true,
            .zone = "foo",
            .veth_extra = {{"out", "in"}, {"same", ""}},
            .interfaces = {{"eth1", "lan"}},
            .macvlan = {{"eth2", ""}},
            .ipvlan = {{"eth3", "ip"}},
            .ports = {{.protocol = Port::Protocol::tcp, .host = 8080, .machine = 80},
                      {.protocol = Port::Protocol::udp, .host = 53, .machine = 5353}}};
}

std::string error_of_request(const std::string &text) {
    return error_of([&] { (void)parse_request(text); });
}

} // namespace

TEST(NetworkPlan, WantsSetupOnlyForLinks) {
    EXPECT_FALSE(Plan{}.wanted());
    EXPECT_FALSE((Plan{.ports = {{.host = 1, .machine = 1}}}).wanted());
    EXPECT_TRUE(Plan{.veth = true}.wanted());
    EXPECT_TRUE((Plan{.bridge = "br0"}).wanted());
    EXPECT_TRUE((Plan{.zone = "foo"}).has_veth());
    const std::vector<NamePair> pairs{{"a", "b"}};
    EXPECT_TRUE(Plan{.veth_extra = pairs}.wanted());
    EXPECT_TRUE(Plan{.interfaces = pairs}.wanted());
    EXPECT_TRUE(Plan{.macvlan = pairs}.wanted());
    EXPECT_TRUE(Plan{.ipvlan = pairs}.wanted());
    EXPECT_FALSE(Plan{.ipvlan = pairs}.has_veth());
}

TEST(NetworkPlan, RequestIsReadBack) {
    const Request request{
        .machine = "web", .netns = 5, .log = 4, .plan = full_plan(), .moved = {{.name = "eth1", .index = 7}}};
    const std::string text = request_text(request);
    EXPECT_FALSE(text.contains('\n'));
    const Request read = parse_request(text);
    EXPECT_EQ(read.machine, "web");
    EXPECT_EQ(read.netns, 5);
    EXPECT_EQ(read.log, 4);
    EXPECT_EQ(read.plan, request.plan);
    EXPECT_EQ(read.moved, request.moved);
}

TEST(NetworkPlan, WhatIsLeftOutIsNotWanted) {
    const Request request = parse_request(R"({"machine":"web","netns":3})");
    EXPECT_EQ(request.plan, Plan{});
    EXPECT_EQ(request.log, 2);
}

TEST(NetworkPlan, LinksAreReadBack) {
    const Links links{.interfaces = {4, 5}, .moved = {{.name = "eth1", .index = 2}}};
    EXPECT_EQ(parse_links(links_text(links)), links);
    EXPECT_THAT(error_of([] { (void)parse_links("{}"); }), HasSubstr("interfaces"));
}

TEST(NetworkPlan, BadRequestsAreRefused) {
    EXPECT_THAT(error_of_request("nonsense"), HasSubstr("reading the request"));
    EXPECT_THAT(error_of_request(R"({"netns":3})"), HasSubstr("machine"));
    EXPECT_THAT(error_of_request(R"({"machine":"a/b","netns":3})"), HasSubstr("a/b"));
    EXPECT_THAT(error_of_request(R"({"machine":"a","netns":3,"veth":"yes"})"), HasSubstr("boolean"));
    EXPECT_THAT(error_of_request(R"({"machine":"a","netns":3,"bridge":"b","zone":"z"})"),
                HasSubstr("choose one"));
    EXPECT_THAT(error_of_request(R"({"machine":"a","netns":3,"bridge":"a b"})"), HasSubstr("\"a b\""));
    EXPECT_THAT(error_of_request(R"({"machine":"a","netns":3,"zone":"much-too-long"})"),
                HasSubstr("vz-much-too-long"));
    EXPECT_THAT(error_of_request(R"({"machine":"a","netns":3,"macvlan":[["eth0","sixteen-letters-"]]})"),
                HasSubstr("1 to 15"));
    EXPECT_THAT(error_of_request(R"({"machine":"a","netns":3,"veth_extra":[["sixteen-letters-",""]]})"),
                HasSubstr("1 to 15"));
}

TEST(NetworkPlan, BadPortsAreRefused) {
    const auto with = [](const std::string &ports) {
        return error_of_request(R"({"machine":"a","netns":3,"ports":[)" + ports + "]}");
    };
    EXPECT_THAT(with(R"({"protocol":"icmp","host":1,"machine":1})"), HasSubstr("icmp"));
    EXPECT_THAT(with(R"({"protocol":"tcp","host":0,"machine":1})"), HasSubstr("1 to 65535"));
    EXPECT_THAT(with(R"({"protocol":"tcp","host":1,"machine":65536})"), HasSubstr("65536"));
    const std::string port = R"({"protocol":"tcp","host":80,"machine":1})";
    EXPECT_THAT(with(port + "," + port), HasSubstr("twice"));
    EXPECT_NO_THROW((void)parse_request(R"({"machine":"a","netns":3,"ports":[)" + port
                                        + R"(,{"protocol":"udp","host":80,"machine":1}]})"));
}

TEST(NetworkTable, WithoutAnAddressThereAreNoRules) {
    const std::string commands = table_commands("berth-web", full_plan().ports, {});
    EXPECT_THAT(commands, AllOf(HasSubstr("add table inet berth-web { flags owner; }"),
                                HasSubstr("hook prerouting"), HasSubstr("hook output"),
                                HasSubstr("flush chain inet berth-web output"), Not(HasSubstr("dnat"))));
}

TEST(NetworkTable, EachPortLeadsToEachAddress) {
    Target target{.ipv4 = Address{.family = AF_INET, .bytes = {10, 0, 0, 2}},
                  .ipv6 = Address{.family = AF_INET6, .bytes = {0xfd}}};
    target.ipv6->bytes[15] = 2;
    const std::string commands = table_commands("berth-web", full_plan().ports, target);
    for (const char *rule :
         {"prerouting ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 8080 dnat ip to "
          "10.0.0.2:80\n",
          "output ip daddr != 127.0.0.0/8 fib daddr type local udp dport 53 dnat ip to "
          "10.0.0.2:5353\n",
          "tcp dport 8080 dnat ip6 to [fd00::2]:80\n", "udp dport 53 dnat ip6 to [fd00::2]:5353\n"})
        EXPECT_THAT(commands, HasSubstr(rule));
}
