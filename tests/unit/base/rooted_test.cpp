// SPDX-License-Identifier: LGPL-2.1-or-later
// Hostile trees: nothing that a tree holds leads out of it.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include "base/io.hpp"
#include "base/rooted.hpp"
#include "expect_error.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using berth::test::error_of;
namespace fs = std::filesystem;

class Rooted : public testing::Test {
protected:
    Rooted() {
        fs::create_directories(tree_);
        root_ = unique_fd(::open(tree_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        directory_.write("outside/secret", "host");
    }

    test::TemporaryDirectory directory_;
    fs::path tree_ = directory_.path() / "tree";
    unique_fd root_;
};

TEST_F(Rooted, AbsoluteLinksStayInside) {
    fs::create_symlink(directory_.path() / "outside", tree_ / "etc");
    EXPECT_EQ(rooted::read_file(root_.get(), "/etc/secret"), std::nullopt);
    directory_.write("tree/real/file", "inside");
    fs::create_symlink("/real", tree_ / "link");
    EXPECT_EQ(rooted::read_file(root_.get(), "/link/file"), "inside");
}

TEST_F(Rooted, DotDotStaysInside) {
    EXPECT_EQ(rooted::read_file(root_.get(), "../outside/secret"), std::nullopt);
    fs::create_symlink("../../outside", tree_ / "up");
    EXPECT_EQ(rooted::read_file(root_.get(), "up/secret"), std::nullopt);
}

TEST_F(Rooted, MakingDirectoriesFollowsLinksInsideOnly) {
    fs::create_symlink(directory_.path() / "outside", tree_ / "var");
    (void)rooted::make_directory(root_.get(), "/var/new"); // which leads nowhere yet
    EXPECT_FALSE(fs::exists(directory_.path() / "outside/new"));
    EXPECT_TRUE(fs::is_directory(tree_.native() + (directory_.path() / "outside/new").native()));
    fs::create_symlink("../../../up/../over", tree_ / "upwards");
    (void)rooted::make_directory(root_.get(), "/upwards/x");
    EXPECT_TRUE(fs::is_directory(tree_ / "over/x"));
    fs::create_symlink("loop", tree_ / "loop");
    error_of([&] { (void)rooted::make_directory(root_.get(), "/loop/x"); });

    fs::create_directory(tree_ / "usr");
    fs::create_symlink("usr", tree_ / "lib");
    (void)rooted::make_directory(root_.get(), "/lib/a/b");
    EXPECT_TRUE(fs::is_directory(tree_ / "usr/a/b"));
}

TEST_F(Rooted, AFileInTheWayOfADirectoryIsAnError) {
    directory_.write("tree/dev", "not a directory");
    EXPECT_THAT(error_of([&] { (void)rooted::make_directory(root_.get(), "/dev"); }),
                testing::HasSubstr("Not a directory"));
}

TEST_F(Rooted, FifosAndDirectoriesAreNotRead) {
    ASSERT_EQ(::mkfifo((tree_ / "fifo").c_str(), 0600), 0);
    EXPECT_THAT(error_of([&] { (void)rooted::read_file(root_.get(), "fifo"); }),
                testing::HasSubstr("not a regular file"));
    error_of([&] { (void)rooted::read_file(root_.get(), "/"); });
}

TEST_F(Rooted, LargeFilesAreRefused) {
    directory_.write("tree/big", std::string(5000, 'x'));
    EXPECT_THAT(error_of([&] { (void)rooted::read_file(root_.get(), "big", 4999); }),
                testing::HasSubstr("File too large"));
    EXPECT_EQ(rooted::read_file(root_.get(), "big", 5000)->size(), 5000U);
}

TEST_F(Rooted, MountFilesAreMadeOrTakenAsTheyAre) {
    (void)rooted::make_mount_file(root_.get(), "/a/new");
    EXPECT_TRUE(fs::is_regular_file(tree_ / "a/new"));
    directory_.write("tree/there", "content");
    (void)rooted::make_mount_file(root_.get(), "/there");
    EXPECT_EQ(read_file(tree_ / "there"), "content");
    error_of([&] { (void)rooted::make_mount_file(root_.get(), "/a"); });
    fs::create_symlink(directory_.path() / "outside/made", tree_ / "dangling");
    (void)rooted::make_mount_file(root_.get(), "/dangling");
    EXPECT_FALSE(fs::exists(directory_.path() / "outside/made"));
    EXPECT_TRUE(fs::is_regular_file(tree_.native() + (directory_.path() / "outside/made").native()));
    EXPECT_TRUE(fs::is_symlink(tree_ / "dangling"));
}

TEST_F(Rooted, Executables) {
    const auto file = directory_.write("tree/bin/x", "");
    EXPECT_FALSE(rooted::is_executable(root_.get(), "/bin/x"));
    fs::permissions(file, fs::perms::owner_all);
    EXPECT_TRUE(rooted::is_executable(root_.get(), "/bin/x"));
    EXPECT_FALSE(rooted::is_executable(root_.get(), "/bin"));
}
