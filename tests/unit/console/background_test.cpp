// SPDX-License-Identifier: LGPL-2.1-or-later
// The background colour that is put into a terminal's stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "config/settings.hpp"
#include "console/background.hpp"
#include "expect_error.hpp"

using namespace berth;
using berth::test::error_of;
using terminal::Background;
using testing::HasSubstr;

namespace {

struct Case {
    std::string_view text;
    std::string_view filtered;
};

// "\33" and not "\x1b": digits may follow.
constexpr Case cases[]{
    {"plain text\r\n", "plain text\r\n"},
    // resets
    {"a\33[mb", "a\33[;44mb"},
    {"\33[0mb", "\33[0;44mb"},
    {"\33[00m", "\33[00;44m"},
    {"\33[0;1mb", "\33[0;1;44mb"},
    {"\33[1;0;32mb", "\33[1;0;32;44mb"},
    {"\33[1;;32mb", "\33[1;;32;44mb"},
    {"\33[39;49mb", "\33[39;49;44mb"},
    {"\33[m\33[m", "\33[;44m\33[;44m"},
    {"\33cb", "\33c\33[44mb"},
    {"\33[!pb", "\33[!p\33[44mb"},
    // what leaves the background alone, or sets one
    {"\33[31mb", "\33[31mb"},
    {"\33[1;7m\33[27m", "\33[1;7m\33[27m"},
    {"\33[41mb", "\33[41mb"},
    {"\33[0;41mb", "\33[0;41mb"},
    {"\33[0;104mb", "\33[0;104mb"},
    {"\33[41;0mb", "\33[41;0;44mb"},
    {"\33[0;48;5;0mb", "\33[0;48;5;0mb"},
    {"\33[0;48;2;0;0;0mb", "\33[0;48;2;0;0;0mb"},
    {"\33[0;48:2::1:0:0mb", "\33[0;48:2::1:0:0mb"},
    // zeros that are part of a colour
    {"\33[38;5;0mb", "\33[38;5;0mb"},
    {"\33[38;2;0;49;0mb", "\33[38;2;0;49;0mb"},
    {"\33[38:5:0mb", "\33[38:5:0mb"},
    {"\33[58;5;0;4mb", "\33[58;5;0;4mb"},
    {"\33[38;5;0;0mb", "\33[38;5;0;0;44mb"},
    {"\33[38;2;0;0;0;0mb", "\33[38;2;0;0;0;0;44mb"},
    // what looks similar
    {"[0m 0m m", "[0m 0m m"},
    {"\33[>4;0mb", "\33[>4;0mb"},
    {"\33[?0mb", "\33[?0mb"},
    {"\33[0 mb", "\33[0 mb"},
    {"\33[0pb\33[1pb", "\33[0pb\33[1pb"},
    {"\33(0mb", "\33(0mb"},
    {"\33#8c", "\33#8c"},
    {"\33Mc", "\33Mc"},
    {"\33[2J\33[K\33[0J\33[0K", "\33[2J\33[K\33[0J\33[0K"},
    // strings hold no sequences
    {"\33]0;[0m\7\33[m", "\33]0;[0m\7\33[;44m"},
    {"\33]0;c\33\\c", "\33]0;c\33\\c"},
    {"\33P1$r0m\33\\", "\33P1$r0m\33\\"},
    {"\33_x\33\\\33c", "\33_x\33\\\33c\33[44m"},
    {"\33]0;unfinished\33[0m", "\33]0;unfinished\33[0;44m"},
    // broken off
    {"\33[0\30mb", "\33[0\30mb"},
    {"\33[0\32mb", "\33[0\32mb"},
    {"\33[0\33[0m", "\33[0\33[0;44m"},
    {"\33[0\nm", "\33[0\n;44m"},
    {"\33[\177m", "\33[\177;44m"},
    {"\33[99999999999999999999m", "\33[99999999999999999999m"},
    {"\33", "\33"},
    {"\303\244\33[m\303\266", "\303\244\33[;44m\303\266"},
};

} // namespace

TEST(Background, IsSetAgainWhereItWasLost) {
    for (const Case &one : cases)
        EXPECT_EQ(Background("44").filter(one.text), one.filtered) << testing::PrintToString(one.text);
}

TEST(Background, WhereverTheTextIsCut) {
    for (const Case &one : cases)
        for (std::size_t first = 0; first <= one.text.size(); ++first)
            for (std::size_t second = first; second <= one.text.size(); ++second) {
                Background background("44");
                std::string filtered = background.filter(one.text.substr(0, first));
                filtered += background.filter(one.text.substr(first, second - first));
                filtered += background.filter(one.text.substr(second));
                EXPECT_EQ(filtered, one.filtered)
                    << testing::PrintToString(one.text) << " cut at " << first << " and " << second;
            }
}

TEST(Background, AnyColour) {
    Background background("48;2;255;255;255");
    EXPECT_EQ(background.begin(), "\33[48;2;255;255;255m\33[K");
    EXPECT_EQ(background.filter("\33[m\33c"), "\33[;48;2;255;255;255m\33c\33[48;2;255;255;255m");
    EXPECT_EQ(background.end(false), "\33[0m\33[J");
}

TEST(Background, TheEndDoesNotBecomePartOfASequence) {
    Background background("44");
    EXPECT_EQ(background.end(true), "\30\33[0m\33[J");
    (void)background.filter("\33]0;tit");
    EXPECT_EQ(background.end(false), "\30\33[0m\33[J");
    (void)background.filter("le\7");
    EXPECT_EQ(background.end(false), "\33[0m\33[J");
}

TEST(Background, NoneChangesNothing) {
    Background background("");
    EXPECT_FALSE(background.on());
    EXPECT_EQ(background.begin() + background.end(true), "");
    EXPECT_EQ(background.filter("\33[0m\33c"), "\33[0m\33c");
}

TEST(Background, NothingGrowsBeyondItsBound) {
    for (const std::string_view piece : {"m", "c", "\33c", "\33[m", "\33[!p"})
        for (const std::size_t times : {1U, 2U, 7U, 512U}) {
            for (const std::string_view before : {"", "\33", "\33["}) {
                Background background("48;2;255;255;255");
                (void)background.filter(before);
                std::string text;
                for (std::size_t i = 0; i < times; ++i)
                    text += piece;
                EXPECT_LE(background.filter(text).size(), Background::longest(text.size()));
            }
        }
}

TEST(Background, ColoursThatAreTaken) {
    const auto apply = [](const char *value) {
        MachineConfig config;
        const Assignment assignment{
            .setting = find_option("background"), .value = value, .origin = {"--background"}};
        berth::apply(config, {&assignment, 1});
        return config.background;
    };
    for (const char *good : {"", "40", "47", "100", "107", "48;5;0", "48;5;255", "48;2;0;128;255"})
        EXPECT_EQ(apply(good), good);
    for (const char *bad :
         {"4",   "48",   "49",   "39",       "108",   "31",       "blue",         "44;",
          ";44", "1;44", "48;5", "48;5;256", "48;5;", "48;2;1;2", "48;2;1;2;3;4", "48;3;1;2;3",
          "44m", "-44",  "044x", " 44",      "\33[44"})
        EXPECT_THAT(error_of([&] { (void)apply(bad); }), HasSubstr("is no background colour")) << bad;
}
