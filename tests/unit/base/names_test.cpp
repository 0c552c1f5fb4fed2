// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "base/names.hpp"
#include "expect_error.hpp"

using namespace berth;
using berth::test::error_of;

TEST(MachineName, ValidOnes) {
    for (const char *name : {"a", "debian", "web-1", "a.b-c_d", "X9", "_x"})
        EXPECT_TRUE(machine_name_valid(name)) << name;
    EXPECT_TRUE(machine_name_valid(std::string(64, 'a')));
}

TEST(MachineName, InvalidOnes) {
    for (const char *name :
         {"", ".", "..", ".a", "a.", "a..b", "-a", "a-", "a.-b", "a-.b", "a/b", "a b", "ä", "a\n"})
        EXPECT_FALSE(machine_name_valid(name)) << name;
    EXPECT_FALSE(machine_name_valid(std::string(65, 'a')));
    EXPECT_FALSE(machine_name_valid(std::string_view("a\0b", 3)));
}

TEST(MachineName, TheErrorShowsTheNameEscaped) {
    EXPECT_THAT(error_of([] { require_machine_name("a\nb"); }),
                testing::HasSubstr("\"a\\nb\" is not a machine name"));
}

TEST(MachineName, CleaningMakesValidNames) {
    EXPECT_EQ(clean_machine_name("debian 13/x"), "debian13x");
    EXPECT_EQ(clean_machine_name(".-a-."), "a");
    EXPECT_EQ(clean_machine_name("///"), "");
    EXPECT_EQ(clean_machine_name(std::string(100, 'b')), std::string(64, 'b'));
    for (const char *name : {"a..b", "--x--", "a.-b", "ä1"})
        EXPECT_TRUE(machine_name_valid(clean_machine_name(name))) << name;
}

// The expected values are what systemd-escape(1) prints.
TEST(UnitEscape, AsSystemdEscape) {
    EXPECT_EQ(unit_escape("debian"), "debian");
    EXPECT_EQ(unit_escape("web-1"), "web\\x2d1");
    EXPECT_EQ(unit_escape("a/b"), "a-b");
    EXPECT_EQ(unit_escape(".a.b_c:d"), "\\x2ea.b_c:d");
    EXPECT_EQ(scope_name("web-1"), "machine-web\\x2d1.scope");
}

TEST(CEscape, RoundTrip) {
    const std::string text = "a\\b\"c'd\n\te\x01\x7f ü";
    EXPECT_EQ(c_unescape(c_escape(text)), text);
    EXPECT_EQ(c_escape("machine-web\\x2d1.scope"), "machine-web\\\\x2d1.scope");
    for (const char *bad : {"a\\", "\\xZ1", "\\x1", "\\q"})
        error_of([&] { (void)c_unescape(bad); });
}
