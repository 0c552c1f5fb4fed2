// SPDX-License-Identifier: LGPL-2.1-or-later
// Values of single settings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/personality.h>

#include <limits>

#include "config/mount_syntax.hpp"
#include "config/network_syntax.hpp"
#include "config/process_syntax.hpp"
#include "expect_error.hpp"

using namespace berth;
using berth::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(Values, RangesOfUsers) {
    EXPECT_THAT(process_syntax::id_range("65536"), Pair(65536U, 65536U));
    EXPECT_THAT(process_syntax::id_range("0:10"), Pair(0U, 10U));
    EXPECT_THAT(process_syntax::id_range("4294967294:1"), Pair(4294967294U, 1U));
    for (const char *bad : {"", "x", "1:", "1:0", "-1", "4294967295", "4294967294:2", "1:2:3"})
        EXPECT_NE(error_of([&] { (void)process_syntax::id_range(bad); }), "") << bad;
}

TEST(Values, ResourceLimits) {
    const auto is = [](int resource, const char *text, rlim_t soft, rlim_t hard) {
        const ResourceLimit limit = process_syntax::limit(resource, text);
        EXPECT_EQ(limit.soft, soft) << text;
        EXPECT_EQ(limit.hard, hard) << text;
    };
    is(RLIMIT_NOFILE, "1024:4096", 1024, 4096);
    is(RLIMIT_NOFILE, "7", 7, 7);
    is(RLIMIT_AS, "64M", 64UL << 20U, 64UL << 20U);
    is(RLIMIT_CORE, "0:infinity", 0, RLIM_INFINITY);
    is(RLIMIT_CPU, "2min", 120, 120);
    is(RLIMIT_CPU, "1500ms", 2, 2);
    is(RLIMIT_RTTIME, "500", 500, 500);
    is(RLIMIT_RTTIME, "1ms", 1000, 1000);
    is(RLIMIT_NICE, "-5", 25, 25);
}

TEST(Values, WrongResourceLimits) {
    for (const char *bad : {"", "x", "2:1", "1:2:3", "64M"})
        EXPECT_NE(error_of([&] { (void)process_syntax::limit(RLIMIT_NOFILE, bad); }), "") << bad;
    EXPECT_EQ(process_syntax::named_limit("RLIMIT_NOFILE=5").resource, RLIMIT_NOFILE);
    EXPECT_EQ(process_syntax::named_limit("NOFILE=5").resource, RLIMIT_NOFILE);
    EXPECT_THAT(error_of([] { (void)process_syntax::named_limit("FILES=5"); }), HasSubstr("getrlimit(2)"));
}

TEST(Values, Cpus) {
    std::vector<unsigned> cpus;
    process_syntax::cpus("3-4,1", cpus);
    process_syntax::cpus("0 3", cpus);
    EXPECT_THAT(cpus, ElementsAre(0U, 1U, 3U, 4U));
    for (const char *bad : {"a", "2-1", "1-", "99999"})
        EXPECT_NE(error_of([&] { process_syntax::cpus(bad, cpus); }), "") << bad;
}

TEST(Values, Credentials) {
    const Credential credential = process_syntax::credential("a.b:x\\ny:z", false, {});
    EXPECT_EQ(credential.id, "a.b");
    EXPECT_EQ(credential.value, "x\ny:z");
    for (const char *bad : {"a", ":x", "a/b:x", "..:x"})
        EXPECT_NE(error_of([&] { (void)process_syntax::credential(bad, false, {}); }), "") << bad;
}

TEST(Values, Environment) {
    EXPECT_THAT(process_syntax::environment("A=b=c"), Pair("A", "b=c"));
    ::setenv("BERTH_TEST_GIVEN", "from here", 1);
    EXPECT_THAT(process_syntax::environment("BERTH_TEST_GIVEN"), Pair("BERTH_TEST_GIVEN", "from here"));
    for (const char *bad : {"=x", "1A=x", "A B=x", "BERTH_TEST_NOT_GIVEN"})
        EXPECT_NE(error_of([&] { (void)process_syntax::environment(bad); }), "") << bad;
}

TEST(Values, LinksAndPorts) {
    EXPECT_EQ(network_syntax::link_pair("eth0:lan").inside, "lan");
    EXPECT_EQ(network_syntax::link_pair("eth0").inside, "eth0");
    EXPECT_EQ(network_syntax::link_pair("abcdefghijklmno", "mv-").inside, "mv-abcdefghijkl");
    for (const char *bad : {"", "a/b", "a:b:c", "abcdefghijklmnop", ".", "..", "a b", "12"})
        EXPECT_NE(error_of([&] { (void)network_syntax::link_pair(bad); }), "") << bad;
    EXPECT_EQ(network_syntax::port("80").protocol, "tcp");
    EXPECT_EQ(network_syntax::port("udp:53:5353").machine, 5353);
    for (const char *bad : {"", "0", "65536", "tcp", "tcp:", "sctp:1", "1:2:3", "1:"})
        EXPECT_NE(error_of([&] { (void)network_syntax::port(bad); }), "") << bad;
}

TEST(MountSyntax, Overlays) {
    const MountConfig two = parse_overlay("/lower:/data", false, {});
    ASSERT_EQ(two.sources.size(), 2U);
    EXPECT_EQ(two.sources[1].path, "/data");
    EXPECT_EQ(two.destination, "/data");
    const MountConfig inside = parse_overlay("+/var::/var", false, {});
    ASSERT_EQ(inside.sources.size(), 2U);
    EXPECT_TRUE(inside.sources[0].inside);
    EXPECT_TRUE(inside.sources[1].path.empty());
    EXPECT_EQ(inside.destination, "/var");
    for (const char *bad : {"/a", "/a::/b:/c", "a:/b", "/a:/b:c"})
        EXPECT_NE(error_of([&] { (void)parse_overlay(bad, false, {}); }), "") << bad;
    EXPECT_NE(error_of([] { (void)parse_overlay("/a::/b", true, {}); }), "");
}

TEST(MountSyntax, BindsOfAllKinds) {
    EXPECT_TRUE(parse_bind("-+/opt:/x", false, {}).sources[0].inside);
    EXPECT_TRUE(parse_bind(":/x", false, {}).sources[0].path.empty());
    EXPECT_EQ(parse_bind("/a:/b:rootidmap", false, {}).id_map, IdMap::rootidmap);
    EXPECT_EQ(parse_bind("/a:/b:idmap,norbind", false, {}).id_map, IdMap::idmap);
    EXPECT_EQ(parse_bind("/a:/b/../c/./", false, {}).destination, "/c");
    EXPECT_EQ(parse_inaccessible("/etc/shadow", {}).kind, MountConfig::Kind::inaccessible);
}
