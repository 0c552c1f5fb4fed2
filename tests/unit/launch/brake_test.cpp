// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/brake.hpp"

#include <gtest/gtest.h>

#include <vector>

using namespace berth;
using namespace std::chrono_literals;

namespace {

/// The waits of a machine that runs for each of `lengths` before it reboots.
std::vector<std::chrono::milliseconds> waits(const std::vector<std::chrono::seconds> &lengths) {
    Brake brake;
    Brake::Clock::time_point now;
    std::vector<std::chrono::milliseconds> found;
    for (const std::chrono::seconds length : lengths) {
        brake.boots(now);
        now += length;
        found.push_back(brake.reboots(now));
        now += found.back();
    }
    return found;
}

} // namespace

TEST(Brake, QuickRebootsAreSlowedDownMoreAndMore) {
    const std::vector<std::chrono::milliseconds> found = waits(std::vector(27, 1s));
    EXPECT_EQ(std::vector(found.begin(), found.begin() + 20), std::vector(20, 0ms));
    EXPECT_EQ(std::vector(found.begin() + 20, found.end()),
              (std::vector<std::chrono::milliseconds>{1s, 2s, 4s, 8s, 16s, 16s, 16s}));
}

TEST(Brake, AMachineThatRanIsNot) {
    std::vector lengths(20, 1s);
    lengths.push_back(10s);
    lengths.insert(lengths.end(), 21, 1s);
    const std::vector<std::chrono::milliseconds> found = waits(lengths);
    EXPECT_EQ(std::vector(found.begin(), found.end() - 1), std::vector(41, 0ms));
    EXPECT_EQ(found.back(), 1s);
}
