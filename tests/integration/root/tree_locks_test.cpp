// SPDX-License-Identifier: LGPL-2.1-or-later
// Locks on trees and images: what berth uses systemd-nspawn and systemd-machined leave alone, and the
// other way round.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/format.hpp"
#include "base/lock_file.hpp"
#include "support/images.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth;
using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using Mode = LockFile::Mode;
namespace fs = std::filesystem;

namespace {

/// The lock files of the tree or image at `path`.
std::vector<fs::path> locks_of(const fs::path &path) {
    struct stat st{};
    EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
    return {path.parent_path() / (".#" + path.filename().native() + ".lck"),
            berth::format("/run/systemd/nspawn/locks/inode-{}:{}", st.st_dev, st.st_ino)};
}

Words peer_words(const fs::path &tree, const Words &options, const std::string &line) {
    Words words{"systemd-nspawn", "--quiet", "--register=no", "--pipe", "--machine=locks-peer", "-D", tree};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"sh", "-c", line});
    return words;
}

/// systemd-nspawn on a tree, until the end of the scope.
class Peer {
public:
    Peer(const fs::path &tree, const Words &options)
        : process_(peer_words(tree, options, "echo up; read x")) {
        process_.wait_for("up");
    }
    ~Peer() {
        process_.close_input();
        process_.wait();
    }
    Peer(const Peer &) = delete;
    Peer &operator=(const Peer &) = delete;

private:
    Process process_;
};

class TreeLocks : public HostTest {
protected:
    [[nodiscard]] Outcome berth(const Words &options) const {
        return run(run_words("locks-second", options, {"true"}));
    }
    [[nodiscard]] Outcome peer(const Words &options) const {
        return run(peer_words(tree.path(), options, "true"));
    }
    void expect_no_locks() const {
        for (const fs::path &lock : locks_of(tree.path()))
            EXPECT_FALSE(fs::exists(lock)) << lock;
    }

    SmallTree tree;
    Words writing{"-D", tree.path()};
    Words throwing_away{"-D", tree.path(), "-x"};
    Words reading{"-D", tree.path(), "--read-only"};
};

} // namespace

TEST_F(TreeLocks, WhatThePeerWritesToIsNotUsed) {
    {
        const Peer writer(tree.path(), {});
        for (const Words &options :
             {writing, throwing_away, reading, Words{"--layer=" + tree.path().native(), "-x"},
              Words{"-D", tree.path(), "--volatile=yes"}}) {
            const Outcome refused = berth(options);
            EXPECT_EQ(refused.status, 1) << testing::PrintToString(options);
            EXPECT_THAT(refused.err,
                        AllOf(HasSubstr(tree.path().native() + " is in use"), HasSubstr("stop that")));
        }
    }
    expect_no_locks();
}

TEST_F(TreeLocks, WhatThePeerReadsIsOnlyRead) {
    {
        const Peer reader(tree.path(), {"--read-only"});
        EXPECT_EQ(berth(throwing_away).status, 0);
        EXPECT_EQ(berth(reading).status, 0);
        EXPECT_THAT(berth(writing).err, HasSubstr("is in use by another machine or program"));
    }
    expect_no_locks();
}

TEST_F(TreeLocks, WhatIsWrittenToIsBusyForThePeer) {
    {
        const Machine machine("locks-first", writing);
        for (const fs::path &lock : locks_of(tree.path()))
            EXPECT_TRUE(fs::exists(lock)) << lock;
        EXPECT_THAT(peer({}).err, HasSubstr("currently busy"));
        EXPECT_THAT(peer({"--read-only"}).err, HasSubstr("currently busy"));
        // By whatever path it is found.
        const Folder elsewhere;
        const fs::path link = elsewhere / "link";
        fs::create_symlink(tree.path(), link);
        EXPECT_THAT(run(peer_words(link, {}, "true")).err, HasSubstr("currently busy"));
    }
    EXPECT_EQ(peer({}).status, 0);
    expect_no_locks();
}

TEST_F(TreeLocks, WhatIsReadIsSharedWithThePeer) {
    {
        const Machine one("locks-first", throwing_away);
        const Machine two("locks-third", reading);
        const Machine three("locks-fourth", {"--layer=" + tree.path().native(), "--upper=ephemeral"});
        EXPECT_EQ(peer({"--read-only"}).status, 0);
        EXPECT_EQ(peer({"--volatile=overlay"}).status, 0);
        EXPECT_THAT(peer({}).err, HasSubstr("currently busy"));
        EXPECT_THAT(berth(writing).err, HasSubstr("is in use by another machine or program"));
    }
    EXPECT_EQ(peer({}).status, 0);
    expect_no_locks();
}

TEST_F(TreeLocks, AKilledLauncherHoldsNothing) {
    {
        Machine machine("locks-first", writing);
        machine.launcher().send_signal(SIGKILL);
        machine.launcher().wait();
    }
    EXPECT_TRUE(eventually([&] { return peer({}).status == 0; }));
    expect_no_locks();
    EXPECT_EQ(berth(writing).status, 0);
}

TEST_F(TreeLocks, ManyThatComeAndGoAtOnceAreNotInEachOthersWay) {
    for (int round = 0; round < 3; ++round) {
        std::vector<std::unique_ptr<Process>> machines;
        for (int i = 0; i < 10; ++i)
            machines.push_back(std::make_unique<Process>(run_words(
                berth::format("locks-{}", i), {"-D", tree.path(), "-x", "--register=no"}, {"true"})));
        for (const auto &machine : machines)
            EXPECT_EQ(machine->wait(), 0) << machine->err();
    }
    expect_no_locks();
}

TEST_F(TreeLocks, AReadOnlyFilesystemHasNoPlaceForALock) {
    const Folder folder;
    fs::create_directory(folder / "disk");
    const Mounted disk("tmpfs", folder / "disk", "mode=0755");
    succeed({"cp", "-a", tree.path(), disk.path() / "tree"});
    succeed({"mount", "-o", "remount,ro", disk.path()});
    const std::string there = disk.path() / "tree";
    for (const char *option : {"-x", "--read-only", "--quiet"})
        EXPECT_EQ(berth({"-D", there, option}).status, 0) << option;
    const Machine one("locks-first", {"-D", there, "-x"});
    EXPECT_EQ(run(peer_words(there, {"--read-only"}, "true")).status, 0);
    EXPECT_EQ(berth({"-D", there}).status, 1) << "it is in use all the same";
}

TEST_F(TreeLocks, MachinedRemovesNoImageInUse) {
    const fs::path image = "/var/lib/machines/locks-image";
    succeed({"cp", "-a", tree.path(), image});
    for (const char *option : {"--quiet", "-x"}) {
        const Machine machine("locks-first", {"-D", image, option});
        const Outcome refused = run({"machinectl", "remove", "locks-image"});
        EXPECT_NE(refused.status, 0) << option;
        EXPECT_THAT(refused.err, HasSubstr("busy")) << option;
    }
    EXPECT_TRUE(fs::exists(image / "usr"));
    succeed({"machinectl", "remove", "locks-image"});
    EXPECT_FALSE(fs::exists(image));
}

namespace {

class ImageLocks : public ImageTest {};

} // namespace

TEST_F(ImageLocks, AreThePeersToo) {
    Image image(folder_);
    succeed({"cp", "-a", std::string(busybox_tree) + "/.", image.tree().native()});
    image.ext4(0, 48);
    const auto locks = locks_of(image.path());
    const auto refused = [&](const Words &options) {
        Words all{"-i", image.path()};
        all.insert(all.end(), options.begin(), options.end());
        return run(run_words("locks-second", all, {"true"})).err;
    };
    for (const fs::path &lock : locks) {
        const auto held = LockFile::try_take(lock, Mode::exclusive);
        ASSERT_TRUE(held);
        EXPECT_THAT(refused({}), HasSubstr(image.path() + " is in use")) << lock;
        EXPECT_THAT(refused({"-x"}), HasSubstr(image.path() + " is in use")) << lock;
    }
    {
        const Machine machine("locks-first", {"-i", image.path()});
        for (const fs::path &lock : locks)
            EXPECT_FALSE(LockFile::try_take(lock, Mode::shared)) << lock;
    }
    {
        const Machine one("locks-first", {"-i", image.path(), "-x"});
        const Machine two("locks-third", {"-i", image.path(), "--read-only"});
        for (const fs::path &lock : locks) {
            EXPECT_FALSE(LockFile::try_take(lock, Mode::exclusive)) << lock;
            EXPECT_TRUE(LockFile::try_take(lock, Mode::shared)) << lock;
        }
    }
    for (const fs::path &lock : locks)
        EXPECT_FALSE(fs::exists(lock)) << lock;
}

TEST_F(ImageLocks, AreSharedForWhatCannotBeWrittenTo) {
    Image image(folder_);
    succeed({"cp", "-a", std::string(busybox_tree) + "/.", image.tree().native()});
    image.squashfs();
    {
        const Machine one("locks-first", {"-i", image.path()});
        const Machine two("locks-third", {"-i", image.path()});
        for (const fs::path &lock : locks_of(image.path()))
            EXPECT_FALSE(LockFile::try_take(lock, Mode::exclusive)) << lock;
    }
    for (const fs::path &lock : locks_of(image.path()))
        EXPECT_FALSE(fs::exists(lock)) << lock;
}

TEST_F(ImageLocks, OfADeviceAreThePeersToo) {
    Image image(folder_);
    succeed({"cp", "-a", std::string(busybox_tree) + "/.", image.tree().native()});
    image.ext4(0, 48);
    const LoopDevice device(image.path());
    struct stat st{};
    ASSERT_EQ(::stat(device.path().c_str(), &st), 0);
    const fs::path lock =
        berth::format("/run/systemd/nspawn/locks/block-{}:{}", ::major(st.st_rdev), ::minor(st.st_rdev));
    {
        const Machine machine("locks-first", {"-i", device.path()});
        EXPECT_TRUE(fs::exists(lock));
        EXPECT_FALSE(LockFile::try_take(lock, Mode::shared));
        EXPECT_FALSE(fs::exists("/dev/.#" + device.path().filename().native() + ".lck"))
            << "a device is one and the same wherever its node is";
    }
    EXPECT_FALSE(fs::exists(lock));
    const auto held = LockFile::try_take(lock, Mode::exclusive);
    ASSERT_TRUE(held);
    EXPECT_THAT(run(run_words("locks-second", {"-i", device.path()}, {"true"})).err,
                HasSubstr(device.path().native() + " is in use"));
}
