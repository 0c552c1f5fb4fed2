// SPDX-License-Identifier: LGPL-2.1-or-later
// How long loop devices and locks of images live, whoever is killed and whoever else is about.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <set>

#include "base/format.hpp"
#include "base/io.hpp"
#include "support/images.hpp"

using namespace berth;
using namespace berth::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

class ImageLife : public ImageTest {};

} // namespace

TEST_F(ImageLife, AnImageInUseIsBusy) {
    Image image(folder_);
    image.ext4(0, 48);
    {
        const auto writing = image::attach(image.path(), false); // the program has ended; its lock has not
        EXPECT_THAT(error_of_attach(image.path()), HasSubstr("is in use by another machine or program"));
        EXPECT_THAT(error_of_attach(image.path(), true), HasSubstr("may write to it: stop that first"));
        EXPECT_EQ(loops().size(), 1U);
    }
    ASSERT_TRUE(loops_go());
    {
        const auto reading = image::attach(image.path(), true);
        const auto too = image::attach(image.path(), true);
        EXPECT_THAT(error_of_attach(image.path()), HasSubstr("is in use by another machine or program"));
    }
    ASSERT_TRUE(loops_go());
    EXPECT_EQ(image::attach(image.path(), false).size(), 1U);
}

TEST_F(ImageLife, ABlockDeviceIsAnImage) {
    const Image image = full_image(folder_);
    const LoopDevice loop(image.path());
    const std::string &device = loop.path().native();
    {
        const auto mounts = image::attach(device, false);
        EXPECT_GE(mounts.size(), 3U);
        EXPECT_EQ(read_file(path_of(mounts.at(0).mount.get()) / "etc/hostname"), "disk.img\n");
        EXPECT_THAT(error_of_attach(device), HasSubstr("in use"));
        EXPECT_THAT(error_of_attach(device, true), HasSubstr("in use"));
    }
    {
        const auto reading = image::attach(device, true);
        const auto too = image::attach(device, true);
        EXPECT_THAT(error_of_attach(device), HasSubstr("in use"));
    }
}

TEST_F(ImageLife, MissingDeviceNodesAreNoProblem) {
    const Image image = full_image(folder_);
    for (const char *dev : {"mount -t tmpfs none /dev && exec \"$@\"",
                            "mount -t tmpfs none /dev && : > /dev/loop-control && exec \"$@\""}) {
        {
            Attachment attachment(image.path(), {"unshare", "--mount", "sh", "-c", dev, "sh"});
            const auto received = attachment.receive_all();
            EXPECT_EQ(attachment.process().wait(), 0) << attachment.process().err();
            ASSERT_GE(received.size(), 4U);
            EXPECT_EQ(read_file(path_of(received[0].fd.get()) / "etc/hostname"), "disk.img\n");
        }
        ASSERT_TRUE(loops_go());
    }
}

TEST_F(ImageLife, ManyAtOnceDoNotTakeEachOthersDevices) {
    Image original(folder_);
    original.ext4(0, 48);
    constexpr std::size_t count = 12;
    std::vector<std::string> images;
    for (std::size_t i = 0; i < count; ++i) {
        images.push_back(folder_ / berth::format("{}.img", i));
        succeed({"cp", "--sparse=always", original.path(), images.back()});
    }
    std::vector<std::unique_ptr<Attachment>> attachments;
    for (const std::string &image : images)
        attachments.push_back(std::make_unique<Attachment>(image));
    std::vector<std::vector<Attachment::Received>> received;
    for (const auto &attachment : attachments) {
        received.push_back(attachment->receive_all());
        EXPECT_EQ(attachment->process().wait(), 0) << attachment->process().err();
        EXPECT_EQ(received.back().size(), 2U);
    }
    EXPECT_EQ(loops().size(), count);
    std::set<dev_t> devices;
    for (const auto &each : received) {
        struct stat st{};
        ASSERT_EQ(::fstatat(each.at(0).fd.get(), "", &st, AT_EMPTY_PATH), 0);
        devices.insert(st.st_dev);
    }
    EXPECT_EQ(devices.size(), count);
}

TEST_F(ImageLife, KilledAtAnyStepLeavesNothing) {
    const Image image = full_image(folder_);
    // Killed at the nth such call; the exit status, once what it sent is closed.
    const auto killed_at = [&image](const char *call, unsigned n) {
        Attachment attachment(image.path(),
                              under_strace({berth::format("--trace={}", call),
                                            berth::format("--inject={}:signal=KILL:when={}", call, n)}));
        (void)attachment.receive_all();
        return attachment.process().wait();
    };
    unsigned killed = 0;
    for (const char *call : {"flock", "ioctl", "fsopen", "fsconfig", "fsmount", "sendmsg", "close"}) {
        unsigned n = 0;
        for (int status = -1; status != 0; killed += status != 0 ? 1 : 0) {
            status = killed_at(call, ++n);
            ASSERT_THAT(status, testing::AnyOf(0, 128 + SIGKILL)) << call << " " << n;
            ASSERT_TRUE(loops_go()) << call << " " << n << testing::PrintToString(loops());
        }
        EXPECT_GT(n, 1U) << call << " is never called";
    }
    EXPECT_GT(killed, 30U);
    EXPECT_GE(image::attach(image.path(), false).size(), 3U); // no lock is left either
}

TEST_F(ImageLife, MountsThatNobodyTakesAreGone) {
    const Image image = full_image(folder_);
    {
        Attachment attachment(image.path());
        // The socket is closed with what is in it.
        EXPECT_TRUE(eventually([&] { return attachment.process().ended(); }));
        EXPECT_FALSE(loops().empty());
    }
    EXPECT_TRUE(loops_go());
}

TEST_F(ImageLife, DevicesLiveAsLongAsAMountInAMachine) {
    Image image(folder_);
    image.ext4(0, 48);
    auto mounts = image::attach(image.path(), false);
    const std::string target = folder_ / "target";
    fs::create_directory(target);
    // As a launcher hands them to a machine: into another mount namespace.
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        if (::unshare(CLONE_NEWNS) < 0 || ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) < 0
            || ::move_mount(mounts[0].mount.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0)
            ::_exit(1);
        ::close(mounts[0].mount.get());
        ::raise(SIGSTOP);
        ::_exit(::access((target + "/etc/hostname").c_str(), R_OK) == 0 ? 0 : 2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    ASSERT_TRUE(WIFSTOPPED(status));
    mounts.clear();
    EXPECT_EQ(loops().size(), 1U);
    EXPECT_THAT(error_of_attach(image.path()), HasSubstr("in use"));
    ::kill(child, SIGCONT);
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_TRUE(loops_go());
}
