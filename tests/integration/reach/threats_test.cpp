// SPDX-License-Identifier: LGPL-2.1-or-later
// threats.md names tests: they are there.
// With sanitizers on, gcc is wrong about what std::regex is made of.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <gtest/gtest.h>

#include <fnmatch.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "base/io.hpp"
#include "base/parse.hpp"

namespace {

/// "Suite.Test" of each; those of parameters have "/" and what tells them apart at the end.
std::vector<std::string> all_tests() {
    std::vector<std::string> names;
    const testing::UnitTest &tests = *testing::UnitTest::GetInstance();
    for (int i = 0; i < tests.total_test_suite_count(); ++i) {
        const testing::TestSuite &suite = *tests.GetTestSuite(i);
        for (int j = 0; j < suite.total_test_count(); ++j)
            names.push_back(std::string(suite.name()) + "." + suite.GetTestInfo(j)->name());
    }
    return names;
}

/// Those in the last column of the tables.
std::vector<std::string> named_tests() {
    const std::regex name("[A-Z][A-Za-z/]*\\.[A-Za-z/*]+");
    std::vector<std::string> names;
    for (const std::string &line : berth::split(berth::read_file(BERTH_THREATS), '\n')) {
        if (line.starts_with("## Holes that others had"))
            break;
        const std::vector<std::string> cells = berth::split(line, '|');
        if (!line.starts_with('|'))
            continue;
        EXPECT_EQ(cells.size(), 5U) << line;
        if (cells.size() != 5)
            continue;
        for (std::sregex_iterator found(cells[3].begin(), cells[3].end(), name), end; found != end; ++found)
            names.push_back(found->str());
    }
    return names;
}

} // namespace

TEST(Threats, NameTestsThatThereAre) {
    const std::vector<std::string> tests = all_tests();
    const std::vector<std::string> named = named_tests();
    EXPECT_GT(named.size(), 30U);
    for (const std::string &pattern : named)
        EXPECT_TRUE(std::ranges::any_of(tests, [&](const std::string &test) {
            return ::fnmatch(pattern.c_str(), test.c_str(), 0) == 0;
        })) << pattern;
}
