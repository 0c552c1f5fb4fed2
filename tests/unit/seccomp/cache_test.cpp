// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/format.hpp"
#include "seccomp/load.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/io.hpp"
#include "expect_error.hpp"
#include "seccomp/bundle.hpp"
#include "temporary_directory.hpp"

namespace berth::test {

namespace {

namespace fs = std::filesystem;
using seccomp::encode;
using seccomp::Request;
using testing::ElementsAre;
using testing::HasSubstr;

/// A cache of its own, and the compiler behind a script that counts its runs.
class SeccompCache : public testing::Test {
protected:
    SeccompCache() {
        places.cache = folder.path() / "cache" / "seccomp";
        places.compiler = folder.path() / "compiler";
        places.owner = ::geteuid();
        script(berth::format("exec {} \"$@\"", BERTH_SECCOMP));
    }

    /// Makes the compiler one that counts and then does `body`.
    void script(const std::string &body) const {
        write_file_atomic(places.compiler,
                          berth::format("#!/bin/sh\necho >>{}\n{}\n", runs_file().native(), body), 0755);
    }

    [[nodiscard]] std::size_t runs() const {
        return static_cast<std::size_t>(
            std::ranges::count(read_file_if_there(runs_file()).value_or(""), '\n'));
    }

    /// The one file in the cache.
    [[nodiscard]] fs::path entry() const {
        std::vector<fs::path> found;
        for (const auto &file : fs::directory_iterator(places.cache))
            found.push_back(file.path());
        EXPECT_EQ(found.size(), 1U);
        return found.at(0);
    }

    [[nodiscard]] seccomp::Filter load(const Request &request = {}) const {
        return seccomp::load(request, places);
    }

    [[nodiscard]] fs::path runs_file() const { return folder.path() / "runs"; }

    TemporaryDirectory folder;
    seccomp::Places places;
};

bool same(const seccomp::Programs &a, const seccomp::Programs &b) {
    return std::ranges::equal(a, b, [](const seccomp::Program &one, const seccomp::Program &other) {
        return one.size() == other.size()
               && std::memcmp(one.data(), other.data(), one.size() * sizeof(sock_filter)) == 0;
    });
}

} // namespace

TEST_F(SeccompCache, TheSecondLoadRunsNothing) {
    const seccomp::Filter first = load();
    EXPECT_EQ(runs(), 1U);
    EXPECT_EQ(first.programs.size(), 2U);
    const seccomp::Filter second = load();
    EXPECT_EQ(runs(), 1U);
    EXPECT_TRUE(same(first.programs, second.programs));
}

TEST_F(SeccompCache, DifferentRequestsHaveDifferentFilters) {
    const seccomp::Programs plain = load().programs;
    for (const Request &request : {Request{.capabilities = 1U << 25U}, Request{.rules = {"~chroot"}}}) {
        const std::size_t before = runs();
        EXPECT_FALSE(same(load(request).programs, plain));
        EXPECT_EQ(runs(), before + 1);
    }
    EXPECT_EQ(load({.suppress_sync = true}).programs.size(), 3U);
    EXPECT_EQ(load({.suppress_sync = true}).programs.size(), 3U);
    EXPECT_EQ(runs(), 4U);
}

TEST_F(SeccompCache, AnotherLibraryMakesOtherFilters) {
    EXPECT_THAT(seccomp::recipe({}),
                testing::ContainsRegex("\nlibseccomp libseccomp.so.2.[0-9.]+ [0-9]+ [0-9.]+\n"));
}

TEST_F(SeccompCache, WhiteSpaceMakesNoDifference) {
    (void)load({.rules = {"~chroot  swapon"}});
    (void)load({.rules = {" ~chroot\tswapon\n"}});
    EXPECT_EQ(runs(), 1U);
}

TEST_F(SeccompCache, WarningsAreKept) {
    for (int i = 0; i < 2; ++i)
        EXPECT_THAT(load({.rules = {"swapof"}}).warnings, ElementsAre(HasSubstr("\"swapof\"")));
    EXPECT_EQ(runs(), 1U);
}

TEST_F(SeccompCache, FilesAreWholeAndNobodyElsesToWrite) {
    (void)load();
    struct stat status{};
    ASSERT_EQ(::stat(entry().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0644U);
    EXPECT_EQ(status.st_size % 8, 0);
}

TEST_F(SeccompCache, TruncatedFilesAreMadeAnew) {
    const seccomp::Programs programs = load().programs;
    const fs::path file = entry();
    const auto size = fs::file_size(file);
    std::size_t expected = 1;
    for (const auto shorter : {size - 8, size - 1, std::uintmax_t{16}, std::uintmax_t{0}}) {
        fs::resize_file(file, shorter);
        EXPECT_TRUE(same(load().programs, programs)) << shorter;
        EXPECT_EQ(runs(), ++expected) << shorter;
        EXPECT_EQ(fs::file_size(file), size);
    }
}

TEST_F(SeccompCache, FilesOthersCanWriteAreMadeAnew) {
    (void)load();
    for (const mode_t mode : {0664U, 0646U}) {
        const std::size_t before = runs();
        ASSERT_EQ(::chmod(entry().c_str(), mode), 0);
        (void)load();
        EXPECT_EQ(runs(), before + 1);
        (void)load();
        EXPECT_EQ(runs(), before + 1);
    }
}

TEST_F(SeccompCache, FilesOfOthersAreNotUsed) {
    (void)load();
    places.owner += 1;
    (void)load();
    (void)load();
    EXPECT_EQ(runs(), 3U);
}

TEST_F(SeccompCache, OnlyRegularFilesAreUsed) {
    (void)load();
    const fs::path file = entry();
    const fs::path elsewhere = folder.path() / "elsewhere";
    fs::rename(file, elsewhere);
    fs::create_symlink(elsewhere, file);
    (void)load();
    EXPECT_EQ(runs(), 2U);
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(file)));
    fs::remove(file);
    ASSERT_EQ(::mkfifo(file.c_str(), 0644), 0);
    (void)load();
    EXPECT_EQ(runs(), 3U);
}

TEST_F(SeccompCache, FilesForOtherRequestsAreNotUsed) {
    (void)load({.rules = {"@known:log"}});
    const fs::path other = entry();
    const std::string data = read_file(other);
    fs::remove(other);
    (void)load();
    write_file_atomic(entry(), data, 0644); // as if their names collided
    EXPECT_EQ(runs(), 2U);
    (void)load();
    EXPECT_EQ(runs(), 3U);
}

TEST_F(SeccompCache, FoldersOthersCanWriteAreNotUsed) {
    (void)load();
    ASSERT_EQ(::chmod(places.cache.c_str(), 0777), 0);
    (void)load();
    (void)load();
    EXPECT_EQ(runs(), 3U);
}

TEST_F(SeccompCache, GoesWithoutWhenNothingCanBeStored) {
    folder.write("cache", "no folder");
    EXPECT_EQ(load().programs.size(), 2U);
    EXPECT_EQ(load().programs.size(), 2U);
    EXPECT_EQ(runs(), 2U);
}

TEST_F(SeccompCache, TellsWhatTheCompilerSays) {
    EXPECT_THAT(error_of([&] { (void)load({.rules = {"@moutn"}}); }), HasSubstr("did you mean \"@mount\"?"));
    EXPECT_FALSE(fs::exists(places.cache));
    script("kill -9 $$");
    EXPECT_THAT(error_of([&] { (void)load(); }), HasSubstr("wait status 0x9"));
    script("true");
    EXPECT_THAT(error_of([&] { (void)load(); }), HasSubstr("install both anew"));
    places.compiler = folder.path() / "nowhere";
    EXPECT_THAT(error_of([&] { (void)load(); }),
                HasSubstr("nowhere to compile the system call filter: No such file"));
}

TEST(SeccompBundle, ComesBackAsItWas) {
    const seccomp::Bundle bundle{
        .recipe = "for\ntest",
        .warnings = {"one", "two"},
        .libseccomp = 0x20600,
        .programs = {seccomp::Program(3, {.code = 6, .jt = 1, .jf = 2, .k = 3}), seccomp::Program(1)}};
    const std::string data = encode(bundle);
    EXPECT_EQ(data.size() % sizeof(sock_filter), 0U);
    const auto back = seccomp::decode(data);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->recipe, bundle.recipe);
    EXPECT_EQ(back->warnings, bundle.warnings);
    EXPECT_EQ(back->libseccomp, bundle.libseccomp);
    EXPECT_TRUE(same(back->programs, bundle.programs));
}

TEST(SeccompBundle, RefusesWhatIsNone) {
    const std::string good = encode({.recipe = "r", .programs = {seccomp::Program(2)}});
    ASSERT_TRUE(seccomp::decode(good));
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(seccomp::decode(good.substr(0, size))) << size;
    EXPECT_FALSE(seccomp::decode(good + std::string(8, '\0')));
    for (const std::size_t at : {0U, 8U, 16U, 20U, 24U}) { // magic, format, sizes, the first length
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] + 16);
        EXPECT_FALSE(seccomp::decode(bad)) << at;
    }
    EXPECT_FALSE(seccomp::decode(encode({.recipe = "r", .programs = {}})));
    EXPECT_FALSE(seccomp::decode(encode({.recipe = "r", .programs = {seccomp::Program(BPF_MAXINSNS + 1)}})));
}

} // namespace berth::test
