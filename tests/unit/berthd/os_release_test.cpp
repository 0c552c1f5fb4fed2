// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/os_release.hpp"

#include <gtest/gtest.h>

using namespace std::string_view_literals;
using berth::os_release::Fields;
using berth::os_release::parse;

TEST(OsRelease, PlainFile) {
    EXPECT_EQ(parse("# comment\nID=debian\n\nNAME=\"Debian GNU/Linux\"\nVERSION='13 (trixie)'\n"),
              (Fields{{"ID", "debian"}, {"NAME", "Debian GNU/Linux"}, {"VERSION", "13 (trixie)"}}));
}

TEST(OsRelease, NamesThatAreNoneAreDropped) {
    EXPECT_EQ(parse("lower=1\n1X=2\n=3\nA B=4\n\xff=5\nA_1=6\n"), (Fields{{"A_1", "6"}}));
}

// The bus takes nothing else, and drops a sender who tries.
TEST(OsRelease, ValuesThatAreNotUtf8AreDropped) {
    for (const char *bad : {"\xff", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                            "\xf8\x88\x80\x80\x80", "\x80", "x\xc3(", "\xf0\x8f\xbf\xbf"})
        EXPECT_EQ(parse(std::string("A=") + bad + "\nB=1\n"), (Fields{{"B", "1"}})) << bad;
    for (const char *good :
         {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\xa2", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
        EXPECT_EQ(parse(std::string("A=") + good + "\n"), (Fields{{"A", good}})) << good;
}

TEST(OsRelease, ControlCharactersAreDropped) {
    EXPECT_EQ(parse("A=x\0y\nB=\x1b[31m\nC=\x7f\nD=ok\n"sv), (Fields{{"D", "ok"}}));
}

TEST(OsRelease, NoContentNoFields) {
    EXPECT_TRUE(parse("").empty());
    EXPECT_TRUE(parse("\0\0\0=\n=\n"sv).empty());
}
