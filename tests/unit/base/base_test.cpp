// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/env_file.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "base/printable.hpp"
#include "base/proc_stat.hpp"
#include "expect_error.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using namespace std::chrono_literals;
using berth::test::error_of;

TEST(ParseBool, TakesTheWordsOfUnitFiles) {
    for (const char *word : {"1", "yes", "Y", "true", "T", "ON"})
        EXPECT_EQ(parse_bool(word), true) << word;
    for (const char *word : {"0", "no", "N", "false", "f", "Off"})
        EXPECT_EQ(parse_bool(word), false) << word;
    for (const char *word : {"", "2", "yess", "y e s"})
        EXPECT_EQ(parse_bool(word), std::nullopt) << word;
}

TEST(ParseSize, TakesSuffixesToTheBaseOf1024) {
    EXPECT_EQ(parse_size("0"), 0U);
    EXPECT_EQ(parse_size("64M"), 64U << 20);
    EXPECT_EQ(parse_size("1.5G"), 1536ULL << 20);
    EXPECT_EQ(parse_size("18446744073709551615"), ~0ULL);
    for (const char *text :
         {"", "-1", "M", "64MM", "64X", "16E", "99999999999999999999", "nan", "nanK", "inf", "infK", "-nanG"})
        EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

TEST(ParseTimespan, AddsUpItsParts) {
    EXPECT_EQ(parse_timespan("90"), 90s);
    EXPECT_EQ(parse_timespan("2min 30s"), 150s);
    EXPECT_EQ(parse_timespan("1h30m"), 90min);
    EXPECT_EQ(parse_timespan("100ms"), 100ms);
    for (const char *text : {"", "s", "-5", "5 parsecs", "1h-", "nan", "inf", "nans", "1h inf"})
        EXPECT_EQ(parse_timespan(text), std::nullopt) << text;
}

TEST(ParseSignal, TakesNamesAndNumbers) {
    EXPECT_EQ(parse_signal("9"), SIGKILL);
    EXPECT_EQ(parse_signal("KILL"), SIGKILL);
    EXPECT_EQ(parse_signal("SIGTERM"), SIGTERM);
    EXPECT_EQ(parse_signal("SIGRTMIN+3"), SIGRTMIN + 3);
    EXPECT_EQ(parse_signal("RTMAX-1"), SIGRTMAX - 1);
    for (const char *text : {"", "0", "65", "SIGNOT", "RTMIN+99", "RTMIN-1"})
        EXPECT_EQ(parse_signal(text), std::nullopt) << text;
}

TEST(ParseId128, TakesBothForms) {
    const std::string id = "0123456789abcdef0123456789abcdef";
    EXPECT_EQ(parse_id128(id), id);
    EXPECT_EQ(parse_id128("01234567-89AB-cdef-0123-456789abcdef"), id);
    EXPECT_EQ(uuid_of(id), "01234567-89ab-cdef-0123-456789abcdef");
    for (const char *text :
         {"", "0123", "0123456789abcdef0123456789abcdeg", "0123456789abcdef-0123-456789abcdef----"})
        EXPECT_EQ(parse_id128(text), std::nullopt) << text;
}

TEST(Nearest, FindsTypingErrorsOnly) {
    const std::vector<std::string_view> words{"bind", "boot", "read_only"};
    EXPECT_EQ(nearest("bot", words), "boot");
    EXPECT_EQ(nearest("readonly", words), "read_only");
    EXPECT_EQ(nearest("entirely_else", words), std::nullopt);
}

TEST(Printable, NothingSteers) {
    EXPECT_EQ(printable("a\tb \u00e4\u20ac\U0001f600"), "a\tb \u00e4\u20ac\U0001f600");
    EXPECT_EQ(printable("a\x1b[31mb\n\x1b]c\r"), "ab\\x0a\\x1b]c");
    EXPECT_EQ(printable("\u009b31m \u202e \u061c"), "\\u009b31m \\u202e \\u061c");
    // What is left out joins nothing, and what is no UTF-8 is told byte by byte.
    EXPECT_EQ(printable("\xc2\x1b[m\x9b"
                        "31m"),
              "\\xc2\\x9b31m");
    EXPECT_EQ(printable("\xe2\x1b[m\x80\xae"), "\\xe2\\x80\\xae");
    EXPECT_EQ(printable("\x9b \xc0\x9b \xe0\x82\x9b \xed\xa0\x80 \xf5\x80\x80\x80 \xe2\x82"),
              "\\x9b \\xc0\\x9b \\xe0\\x82\\x9b \\xed\\xa0\\x80 \\xf5\\x80\\x80\\x80 \\xe2\\x82");
}

TEST(EnvFile, UndoesShellQuotes) {
    const auto fields =
        parse_env_file("# comment\nID=debian\nNAME=\"A \\\"B\\\" C\"\nX='a b'\njunk\n=y\n  Z=1  \n");
    EXPECT_EQ(fields.at("ID"), "debian");
    EXPECT_EQ(fields.at("NAME"), "A \"B\" C");
    EXPECT_EQ(fields.at("X"), "a b");
    EXPECT_EQ(fields.at("Z"), "1");
    EXPECT_EQ(fields.size(), 4U);
}

TEST(Io, AtomicWriteReplacesAndSetsTheMode) {
    const test::TemporaryDirectory directory;
    const auto file = directory.write("a", "old");
    write_file_atomic(file, "new", 0640);
    EXPECT_EQ(read_file(file), "new");
    struct stat st{};
    ASSERT_EQ(::stat(file.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0640U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(Io, MissingFilesAreNamed) {
    EXPECT_EQ(read_file_if_there("/nowhere/at/all"), std::nullopt);
    EXPECT_THAT(error_of([] { (void)read_file("/nowhere/at/all"); }), testing::HasSubstr("/nowhere/at/all"));
}

TEST(Io, ReadAllStopsAtItsLimit) {
    const test::TemporaryDirectory directory;
    const auto file = directory.write("big", std::string(10000, 'x'));
    const unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_THAT(error_of([&] { (void)read_all(fd.get(), "big", 9000); }),
                testing::HasSubstr("File too large"));
}

TEST(Pidfd, KnowsItsProcessAndItsEnd) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    const unique_fd fd = pidfd::open(child);
    EXPECT_EQ(pidfd::pid_of(fd.get()), child);
    EXPECT_FALSE(pidfd::has_exited(fd.get()));
    EXPECT_TRUE(pidfd::send_signal(fd.get(), SIGKILL));
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PIDFD, static_cast<id_t>(fd.get()), &info, WEXITED | WNOWAIT), 0);
    EXPECT_TRUE(pidfd::has_exited(fd.get()));
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_FALSE(pidfd::send_signal(fd.get(), SIGKILL));
    EXPECT_EQ(pidfd::pid_of(fd.get()), 0);
}

TEST(ProcStat, NamesHoldWhatTheyLike) {
    const proc_stat::Fields fields("12 (a) b) (c) S 1 12 13 34816 12 4194560\n");
    EXPECT_EQ(fields.name(), "a) b) (c");
    EXPECT_EQ(fields.text(proc_stat::state), "S");
    EXPECT_EQ(fields.number(proc_stat::session), 13U);
    EXPECT_EQ(fields.number(proc_stat::terminal), proc_stat::encoded(makedev(136, 0)));
    EXPECT_EQ(fields.number(proc_stat::flags), 4194560U);
    EXPECT_EQ(fields.text(proc_stat::threads), "");
    EXPECT_EQ(fields.number(1), 0U);
    EXPECT_EQ(proc_stat::Fields("12 a S 1").text(proc_stat::state), "");
    EXPECT_EQ(proc_stat::encoded(makedev(136, 300)), 0x10882cU);
}

TEST(Pidfd, AnEndIsWaitedForAndMade) {
    const auto child = [](bool stays) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            if (stays)
                ::pause();
            ::_exit(7);
        }
        return pid;
    };
    const unique_fd over = pidfd::open(child(false));
    const siginfo_t info = pidfd::wait(over.get());
    EXPECT_EQ(info.si_code, CLD_EXITED);
    EXPECT_EQ(info.si_status, 7);
    const unique_fd staying = pidfd::open(child(true));
    pidfd::end(staying.get());
    EXPECT_EQ(pidfd::pid_of(staying.get()), 0) << "reaped";
    EXPECT_THROW(pidfd::wait(staying.get()), Error);
}
