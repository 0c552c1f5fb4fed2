// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "base/version_order.hpp"

using berth::version_order;

TEST(VersionOrder, OrderIsTheSpecifications) {
    // The specification's own example, oldest first.
    constexpr const char *ascending[] = {"122.1",   "123~rc1-1", "123",     "123-a",   "123-a.1", "123-1",
                                         "123-1.1", "123^post1", "123.a-1", "123.1-1", "123a-1",  "124-1"};
    for (std::size_t i = 0; i < std::size(ascending); ++i)
        for (std::size_t j = 0; j < std::size(ascending); ++j)
            EXPECT_TRUE(version_order(ascending[i], ascending[j]) == (i <=> j))
                << ascending[i] << " " << ascending[j];
}

TEST(VersionOrder, NumbersCountByValueOfAnyLength) {
    EXPECT_TRUE(version_order("root_1.9", "root_1.10") < 0);
    EXPECT_TRUE(version_order("007", "7") == 0);
    EXPECT_TRUE(version_order("99999999999999999999999999", "100000000000000000000000000") < 0);
    EXPECT_TRUE(version_order("a", "1") < 0);
}

TEST(VersionOrder, OtherCharactersAndEndsAreNothing) {
    EXPECT_TRUE(version_order("", "") == 0);
    EXPECT_TRUE(version_order("_ _", "") == 0);
    EXPECT_TRUE(version_order("a_1", "a1") == 0);
    EXPECT_TRUE(version_order("1~", "1") < 0);
    EXPECT_TRUE(version_order("~", "~~") > 0);
    EXPECT_TRUE(version_order("1", "1\x01\xff") == 0);
    EXPECT_TRUE(version_order("B", "a") < 0);
}
