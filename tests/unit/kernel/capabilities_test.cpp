// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <unistd.h>

#include "expect_error.hpp"
#include "kernel/capabilities.hpp"

using namespace berth;
using berth::test::error_of;

TEST(Capabilities, NamesRoundTrip) {
    const auto all = capabilities::names(capabilities::all());
    EXPECT_EQ(capabilities::from_names(all), capabilities::all());
    EXPECT_EQ(capabilities::from_names({"CAP_NET_ADMIN"}), capabilities::Set{1} << 12);
    EXPECT_EQ(capabilities::from_names({"all"}), capabilities::all());
    EXPECT_THAT(error_of([] { (void)capabilities::from_names({"CAP_NOT"}); }),
                testing::HasSubstr("\"CAP_NOT\""));
}

// The mask that systemd-nspawn 257 leaves its payload on a host that has all capabilities itself.
TEST(Capabilities, DefaultIsThePeers) {
    EXPECT_EQ(capabilities::default_bounding(false), 0xfdecafffULL);
    EXPECT_EQ(capabilities::default_bounding(true), 0xfdecafffULL | 1U << 12);
}

TEST(Capabilities, ReadsTheBoundingSet) {
    EXPECT_NE(capabilities::bounding_of(::getpid()), 0U);
    EXPECT_EQ(capabilities::bounding_of(::getpid()) & ~capabilities::all(), 0U);
}
