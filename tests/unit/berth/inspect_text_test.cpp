// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "berth/inspect/id_map.hpp"
#include "berth/inspect/text.hpp"
#include "berth/ns/kinds.hpp"
#include "expect_error.hpp"

using namespace berth;
using namespace berth::cli;
using berth::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(InspectIdMap, IsReadAndFoundBothWays) {
    const id_map::Map map =
        id_map::parse("         0     524288      65536\n     70000       1000          1\n");
    ASSERT_EQ(map.size(), 2U);
    EXPECT_EQ(id_map::outside_of(map, 0), 524288U);
    EXPECT_EQ(id_map::outside_of(map, 65535), 589823U);
    EXPECT_EQ(id_map::outside_of(map, 65536), std::nullopt);
    EXPECT_EQ(id_map::inside_of(map, 1000), 70000U);
    EXPECT_EQ(id_map::inside_of(map, 1001), std::nullopt);
    EXPECT_THAT(in_words(map, "users"), ElementsAre("users: 0 to 65535 inside are 524288 to 589823 outside",
                                                    "and: 70000 inside is 1000 outside"));
}

TEST(InspectIdMap, OfTheFirstNamespaceAndOfAnEmptyOne) {
    EXPECT_THAT(in_words(id_map::parse("0 0 4294967295\n"), "groups"),
                ElementsAre("groups: the same inside as outside"));
    EXPECT_THAT(in_words(id_map::parse(""), "users"), ElementsAre("users: none is mapped"));
    EXPECT_THAT(error_of([] { (void)id_map::parse("0 1\n"); }), HasSubstr("\"0 1\""));
}

TEST(InspectText, ColumnsAreAlignedAndControlCharactersShown) {
    EXPECT_EQ(aligned({{"A", "B"}, {"└─x\x1b[1m\n", "y"}}), "A        B\n└─x\\x0a  y\n");
}

TEST(InspectText, LongListsAreWrappedBelowTheirFirstWord) {
    EXPECT_EQ(wrapped("set: ", {"one", "two", "three"}, 13), "set: one two\n     three\n");
    EXPECT_EQ(wrapped("set: ", {}, 80), "set: none\n");
    EXPECT_EQ(indented("a\n\nb\n", "  "), "  a\n\n  b\n");
}

TEST(NamespaceKinds, AreReadInAnyOrderAndNeverTwice) {
    const auto kinds = ns::parse_kinds("uts,net,uts");
    ASSERT_EQ(kinds.size(), 2U);
    EXPECT_EQ(kinds[0]->name, "net");
    EXPECT_EQ(kinds[1]->name, "uts");
    EXPECT_TRUE(ns::parse_kinds("").empty());
    EXPECT_THAT(error_of([] { (void)ns::parse_kinds("net,mount"); }), HasSubstr("\"mount\""));
    EXPECT_EQ(ns::kinds().size(), 8U);
}
