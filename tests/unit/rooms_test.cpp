// SPDX-License-Identifier: LGPL-2.1-or-later
// A room of src/ uses those before it in src/meson.build, and none after it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <string>

#include "base/io.hpp"

namespace fs = std::filesystem;

namespace {

const fs::path sources = BERTH_SOURCES;

/// Each room's place in the order.
std::map<std::string, std::size_t> rooms() {
    std::map<std::string, std::size_t> found{{"base", 0}};
    const std::string text = berth::read_file(sources / "meson.build");
    const std::regex line(R"(\nsubdir\('([a-z]+)'\))");
    for (std::sregex_iterator match(text.begin(), text.end(), line), end; match != end; ++match)
        found.emplace((*match)[1], found.size());
    return found;
}

} // namespace

TEST(Rooms, UseThoseBelowThem) {
    const auto order = rooms();
    ASSERT_GT(order.size(), 10U);
    const std::regex include(R"(#include "([a-z]+)/[^"]+")");
    std::size_t arrows = 0;
    for (const auto &[room, place] : order)
        for (const auto &entry : fs::recursive_directory_iterator(sources / room)) {
            if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp")
                continue;
            const std::string text = berth::read_file(entry.path());
            for (std::sregex_iterator match(text.begin(), text.end(), include), end; match != end; ++match) {
                const auto used = order.find((*match)[1]);
                ASSERT_NE(used, order.end()) << entry.path() << ": " << (*match)[0];
                EXPECT_LE(used->second, place) << entry.path() << ": " << (*match)[0];
                ++arrows;
            }
        }
    EXPECT_GT(arrows, 500U);
}

TEST(Rooms, AreAllInTheOrder) {
    const auto order = rooms();
    for (const auto &entry : fs::directory_iterator(sources)) {
        if (entry.is_directory() && entry.path().filename() != "pch") { // which is no room
            EXPECT_TRUE(order.contains(entry.path().filename())) << entry.path();
        }
    }
}
