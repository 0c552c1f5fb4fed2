// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/brake.hpp"

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
    EXPECT_EQ(waits({1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s}),
              (std::vector<std::chrono::milliseconds>{0s, 0s, 0s, 1s, 2s, 4s, 8s, 16s, 16s}));
}

TEST(Brake, AMachineThatRanIsNot) {
    EXPECT_EQ(waits({1s, 1s, 1s, 10s, 1s, 1s, 1s, 1s}),
              (std::vector<std::chrono::milliseconds>{0s, 0s, 0s, 0s, 0s, 0s, 0s, 1s}));
}
