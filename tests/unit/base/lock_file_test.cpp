// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/lock_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "expect_error.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using berth::test::error_of;
using berth::test::TemporaryDirectory;
using testing::HasSubstr;
using Mode = LockFile::Mode;
namespace fs = std::filesystem;

namespace {

class LockFiles : public testing::Test {
protected:
    [[nodiscard]] std::optional<LockFile> take(Mode mode) const { return LockFile::try_take(path(), mode); }
    [[nodiscard]] std::string path() const { return (folder.path() / "lock").native(); }

    TemporaryDirectory folder;
};

} // namespace

TEST_F(LockFiles, AreHeldByOneOrShared) {
    {
        const auto one = take(Mode::exclusive);
        ASSERT_TRUE(one);
        EXPECT_FALSE(take(Mode::exclusive));
        EXPECT_FALSE(take(Mode::shared));
        EXPECT_TRUE(fs::exists(path()));
    }
    EXPECT_FALSE(fs::exists(path()));
    const auto one = take(Mode::shared);
    EXPECT_TRUE(one);
    EXPECT_TRUE(take(Mode::shared));
    EXPECT_FALSE(take(Mode::exclusive));
}

TEST_F(LockFiles, GoWithTheLastWhoSharesThem) {
    auto one = take(Mode::shared);
    auto two = take(Mode::shared);
    one.reset();
    EXPECT_TRUE(fs::exists(path()));
    EXPECT_FALSE(take(Mode::exclusive));
    two.reset();
    EXPECT_FALSE(fs::exists(path()));
}

TEST_F(LockFiles, StayWhereTheirDescriptorWent) {
    auto one = take(Mode::shared);
    ASSERT_TRUE(one);
    unique_fd copy(::fcntl(one->fd(), F_DUPFD_CLOEXEC, 0));
    one->hand_over();
    one.reset();
    EXPECT_FALSE(take(Mode::exclusive));
    {
        const LockFile adopted(path(), std::move(copy), Mode::shared);
        EXPECT_FALSE(take(Mode::exclusive));
    }
    EXPECT_FALSE(fs::exists(path()));
}

TEST_F(LockFiles, AreLetGoThoughACopyOfTheDescriptorLives) {
    auto one = take(Mode::exclusive);
    ASSERT_TRUE(one);
    const unique_fd copy(::fcntl(one->fd(), F_DUPFD_CLOEXEC, 0));
    one.reset();
    EXPECT_TRUE(take(Mode::exclusive));
}

TEST_F(LockFiles, ThatTheKilledLeftAreTakenOverOrRemoved) {
    std::ofstream(path()).close();
    {
        const auto one = take(Mode::exclusive);
        ASSERT_TRUE(one);
        std::ofstream(folder.path() / "stale").close();
        remove_stale_locks(folder.path());
        EXPECT_FALSE(fs::exists(folder.path() / "stale"));
        EXPECT_TRUE(fs::exists(path()));
    }
    EXPECT_FALSE(fs::exists(path()));
    remove_stale_locks("/no/such/folder");
}

TEST_F(LockFiles, FollowNoSymlink) {
    fs::create_symlink(folder.path() / "elsewhere", path());
    EXPECT_THAT(error_of([&] { (void)take(Mode::exclusive); }), HasSubstr("opening the lock " + path()));
    EXPECT_FALSE(fs::exists(folder.path() / "elsewhere"));
}
