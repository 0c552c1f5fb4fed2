// SPDX-License-Identifier: LGPL-2.1-or-later
// Paths of the host in folders that others may write to.
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/host_path.hpp"
#include "expect_error.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using berth::test::error_of;
namespace fs = std::filesystem;

class HostPath : public testing::Test {
protected:
    HostPath() { fs::create_directories(folder_ / "tree"); }

    test::TemporaryDirectory directory_;
    fs::path folder_ = directory_.path() / "folder";
};

TEST_F(HostPath, OpensNothingByWayOfLinks) {
    fs::create_directory_symlink(folder_, directory_.path() / "link");
    EXPECT_TRUE(host_path::open(folder_ / "tree", O_PATH | O_DIRECTORY));
    EXPECT_THAT(
        error_of([&] { (void)host_path::open(directory_.path() / "link/tree", O_PATH | O_DIRECTORY); }),
        testing::HasSubstr("link/tree"));
}

TEST_F(HostPath, OpensAgainWhatWasThereBefore) {
    const unique_fd before = host_path::open(folder_ / "tree", O_PATH | O_DIRECTORY);
    EXPECT_TRUE(host_path::open_again(folder_ / "tree", before.get()));
    fs::rename(folder_ / "tree", folder_ / "former");
    fs::create_directory(folder_ / "tree");
    EXPECT_THAT(error_of([&] { (void)host_path::open_again(folder_ / "tree", before.get()); }),
                testing::HasSubstr("was replaced"));
}

TEST_F(HostPath, IsFixedWhereRootAloneCanChangeIt) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to give folders away";
    EXPECT_TRUE(host_path::is_fixed("/"));
    EXPECT_TRUE(host_path::is_fixed(folder_ / "tree")) << "in a folder of ours in one that is sticky";
    EXPECT_FALSE(host_path::is_fixed(folder_ / "missing"));
    ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
    EXPECT_FALSE(host_path::is_fixed(folder_ / "tree"));
    ASSERT_EQ(::chmod(folder_.c_str(), 01777), 0);
    EXPECT_TRUE(host_path::is_fixed(folder_ / "tree"));
    ASSERT_EQ(::chown((folder_ / "tree").c_str(), 1000, 1000), 0);
    EXPECT_FALSE(host_path::is_fixed(folder_ / "tree")) << "who owns it can rename it";
    ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
    EXPECT_TRUE(host_path::is_fixed(folder_ / "tree")) << "the folder above is ours";
    EXPECT_FALSE(host_path::is_fixed(folder_ / "tree/upper"));
    ASSERT_EQ(::chown(folder_.c_str(), 1000, 0), 0);
    EXPECT_FALSE(host_path::is_fixed(folder_ / "tree"));
    fs::create_directory_symlink("/usr", directory_.path() / "link");
    EXPECT_FALSE(host_path::is_fixed(directory_.path() / "link"));
}
