// SPDX-License-Identifier: LGPL-2.1-or-later
// What is mounted of real images, on real loop devices, and what is refused.
#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>

#include "base/format.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "support/images.hpp"

using namespace berth;
using namespace berth::test;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

/// The sector that makes a disk one of LVM's, with its checksum.
std::string lvm_label() {
    std::string label = "LABELONE"
                        + std::string("\x01\0\0\0\0\0\0\0"
                                      "\0\0\0\0"
                                      "\x20\0\0\0"
                                      "LVM2 001",
                                      24);
    label += "aaaaaabbbbbbccccccddddddeeeeeeff"; // the UUID
    label.resize(512);
    std::uint32_t crc = 0xf597a6cf;
    for (const char c : label.substr(20)) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
    crc = htole32(crc);
    std::memcpy(label.data() + 16, &crc, sizeof crc);
    return label;
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {}));
}

class ImageProgram : public ImageTest {};

} // namespace

TEST_F(ImageProgram, ABareExt4IsTheRoot) {
    Image image(folder_);
    image.ext4(0, 48);
    const std::size_t before = open_descriptors();
    {
        const auto mounts = image::attach(image.path(), false);
        ASSERT_THAT(summary(mounts), ElementsAre("root / rw"));
        EXPECT_EQ(open_descriptors(), before + 1);
        EXPECT_EQ(read_file(path_of(mounts[0].mount.get()) / "etc/hostname"), "disk.img\n");
        EXPECT_EQ(write_error(mounts[0], "etc/new"), 0);
        EXPECT_EQ(loops().size(), 1U);
    }
    EXPECT_EQ(open_descriptors(), before);
    const auto again = image::attach(image.path(), false); // at once, as on a reboot
    EXPECT_TRUE(fs::exists(path_of(again.at(0).mount.get()) / "etc/new"));
}

TEST_F(ImageProgram, ABareSquashfsIsReadOnlyForMany) {
    Image image(folder_);
    image.squashfs();
    const auto one = image::attach(image.path(), false);
    const auto two = image::attach(image.path(), false);
    EXPECT_THAT(summary(one), ElementsAre("root / ro"));
    EXPECT_EQ(read_file(path_of(two.at(0).mount.get()) / "etc/hostname"), "disk.img\n");
    EXPECT_EQ(write_error(one.at(0), "x"), EROFS);
}

TEST_F(ImageProgram, AGptWithNothingButARoot) {
    Image image(folder_);
    image.table("gpt", part(1, 8, type_swap) + part(9, 32, type_root)).ext4(9, 32);
    const auto mounts = image::attach(image.path(), false);
    ASSERT_THAT(summary(mounts), ElementsAre("root / rw"));
    EXPECT_EQ(read_file(path_of(mounts[0].mount.get()) / "etc/hostname"), "disk.img\n");
}

TEST_F(ImageProgram, EachPartitionHasItsPlace) {
    const Image image = full_image(folder_);
    const auto mounts = image::attach(image.path(), false);
    std::vector<std::string> expected{"root / rw", "usr /usr ro", "home /home rw"};
    if (kernel_has("vfat"))
        expected.emplace_back("esp /efi rw");
    ASSERT_EQ(summary(mounts), expected);
    EXPECT_EQ(write_error(mounts[0], "x"), 0);
    EXPECT_EQ(write_error(mounts[1], "x"), EROFS);
    EXPECT_EQ(write_error(mounts[2], "x"), 0);
    // Each has a device of its own, and the read-only one's cannot be written to either.
    const auto devices = loops();
    EXPECT_EQ(devices.size(), mounts.size());
    std::map<std::string, std::string> flags;
    for (const std::string &name : devices) {
        const fs::path device = fs::path("/sys/block") / name;
        EXPECT_EQ(trim(read_file(device / "loop/autoclear")), "1");
        flags[std::string(trim(read_file(device / "loop/offset")))] = berth::format(
            "{} {}", trim(read_file(device / "ro")), trim(read_file(device / "loop/sizelimit")));
    }
    EXPECT_EQ(flags.at(std::to_string(1 * mib)), berth::format("0 {}", 16 * mib));
    EXPECT_EQ(flags.at(std::to_string(17 * mib)), berth::format("1 {}", 16 * mib));
    EXPECT_EQ(flags.at(std::to_string(33 * mib)), berth::format("0 {}", 8 * mib));
}

TEST_F(ImageProgram, DeviceNodesInImagesAreNone) {
    Image image(folder_);
    ASSERT_EQ(::mknod((image.tree() / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    image.ext4(0, 48);
    const auto mounts = image::attach(image.path(), false);
    EXPECT_EQ(write_error(mounts.at(0), "null"), EACCES);
}

TEST_F(ImageProgram, BootPartitionsGoWhereThereIsRoom) {
    const auto attached = [this](const std::string &name, const std::vector<std::string> &missing,
                                 const std::string &type) {
        Image image(folder_, name, 32);
        for (const std::string &each : missing)
            fs::remove(image.tree() / each);
        image.table("gpt", part(1, 16, type_root) + part(17, 8, type)).ext4(1, 16);
        if (type == type_xbootldr)
            image.ext4(17, 8);
        else
            image.vfat(17, 8);
        return summary(image::attach(image.path(), false));
    };
    EXPECT_THAT(attached("a", {}, type_xbootldr), ElementsAre("root / rw", "xbootldr /boot rw"));
    EXPECT_THAT(attached("b", {"boot"}, type_xbootldr), ElementsAre("root / rw"));
    EXPECT_THAT(attached("c", {"efi", "boot"}, type_esp), ElementsAre("root / rw"));
    if (kernel_has("vfat")) {
        EXPECT_THAT(attached("d", {}, type_esp), ElementsAre("root / rw", "esp /efi rw"));
        EXPECT_THAT(attached("e", {"efi"}, type_esp), ElementsAre("root / rw", "esp /boot rw"));
    } else {
        const Image image = full_image(folder_, "f");
        Attachment attachment(image.path());
        EXPECT_EQ(attachment.receive_all().size(), 4U); // root, usr, home, the end
        EXPECT_EQ(attachment.process().wait(), 0);
        EXPECT_THAT(attachment.process().err(),
                    AllOf(HasSubstr("warning: mounting partition 4"), HasSubstr("(esp)"),
                          HasSubstr("no support for vfat; /efi stays empty")));
    }
}

TEST_F(ImageProgram, AnMbrWithABootableLinuxPartition) {
    Image image(folder_);
    image.table("dos", part(1, 8, "82") + part(9, 32, "83", "bootable")).ext4(9, 32);
    const auto mounts = image::attach(image.path(), false);
    ASSERT_THAT(summary(mounts), ElementsAre("root / rw"));
    EXPECT_EQ(read_file(path_of(mounts[0].mount.get()) / "etc/hostname"), "disk.img\n");
}

TEST_F(ImageProgram, WhatIsEncryptedIsRefused) {
    Image bare(folder_, "bare.img", 16);
    bare.bytes(0, luks);
    EXPECT_EQ(error_of_attach(bare.path()), bare.path()
                                                + " is encrypted with LUKS, which berth does not open: open "
                                                  "it with cryptsetup, and give the mapped "
                                                  "device as the image");
    Image image(folder_);
    image.table("gpt", part(1, 16, type_root) + part(17, 8, type_home)).ext4(1, 16).bytes(17 * mib, luks);
    EXPECT_THAT(error_of_attach(image.path()),
                HasSubstr("partition 2 of " + image.path() + " (home) is encrypted"));
    succeed({"sfdisk", "--part-attrs", image.path(), "2", "GUID:63"}); // not needed, so it does not matter
    EXPECT_THAT(summary(image::attach(image.path(), false)), ElementsAre("root / rw"));
}

TEST_F(ImageProgram, VerityIsRefused) {
    Image image(folder_);
    image.table("gpt", part(1, 16, type_root) + part(17, 8, type_root_verity)).ext4(1, 16);
    EXPECT_THAT(error_of_attach(image.path()),
                HasSubstr("(root) is protected by dm-verity (see partition 2)"));
}

TEST_F(ImageProgram, WhatIsNoFilesystemIsRefused) {
    Image image(folder_);
    image.table("gpt", part(1, 16, type_root));
    EXPECT_THAT(error_of_attach(image.path()), HasSubstr("(root) holds no filesystem that is known"));
    image.vfat(1, 16);
    EXPECT_THAT(error_of_attach(image.path()), HasSubstr("(root) holds vfat, but berth mounts only ext4"));
    Image lvm(folder_, "lvm.img", 16);
    lvm.bytes(512, lvm_label());
    EXPECT_THAT(error_of_attach(lvm.path()), HasSubstr("belongs to LVM, which berth does not activate"));
}

TEST_F(ImageProgram, AnExt4ThatIsNotWhatItSaysIsRefusedByTheKernel) {
    Image image(folder_);
    image.ext4(0, 48).bytes(1024 + 4,
                            "\xff\xff\xff\x7f"); // a block count beyond the end, and a wrong checksum
    const std::string error = error_of_attach(image.path());
    EXPECT_THAT(error, HasSubstr(image.path()));
    EXPECT_THAT(error, Not(HasSubstr("\n")));
}

TEST_F(ImageProgram, ReadOnlyMeansThatNothingIsWritten) {
    const Image image = full_image(folder_);
    const std::string before = image.hash();
    {
        const auto mounts = image::attach(image.path(), true);
        ASSERT_GE(mounts.size(), 3U);
        for (const image::Mount &mount : mounts) {
            EXPECT_TRUE(mount.read_only);
            EXPECT_EQ(write_error(mount, "x"), EROFS) << mount.path;
        }
    }
    ASSERT_TRUE(loops_go());
    EXPECT_EQ(image.hash(), before);
}

TEST_F(ImageProgram, AnUncleanJournalIsNotReplayedForReading) {
    Image image(folder_);
    image.ext4(0, 48);
    // As after a power cut: the filesystem is copied while it is mounted and written to.
    const std::string copy = folder_ / "copy.img";
    {
        const auto mounts = image::attach(image.path(), false);
        ASSERT_EQ(write_error(mounts.at(0), "etc/new"), 0);
        const unique_fd root(::open(path_of(mounts[0].mount.get()).c_str(), O_RDONLY | O_CLOEXEC));
        ASSERT_EQ(::syncfs(root.get()), 0);
        succeed({"cp", "--sparse=always", image.path(), copy});
    }
    const std::string before = succeed({"sha256sum", copy});
    ASSERT_THAT(succeed({"dumpe2fs", "-h", copy}), HasSubstr("needs_recovery"));
    {
        EXPECT_THAT(summary(image::attach(copy, true)), ElementsAre("root / ro"));
    }
    ASSERT_TRUE(loops_go());
    EXPECT_EQ(succeed({"sha256sum", copy}), before);
}

TEST_F(ImageProgram, TheGrowFlagFillsThePartition) {
    Image image(folder_);
    image.table("gpt", part(1, 40, type_root, "attrs=\"GUID:59\"")).ext4(1, 16);
    Attachment attachment(image.path());
    const auto received = attachment.receive_all();
    ASSERT_EQ(received.size(), 2U);
    struct statvfs state{};
    ASSERT_EQ(::fstatvfs(received[0].fd.get(), &state), 0);
    const std::uint64_t size = state.f_blocks * state.f_frsize;
    EXPECT_EQ(attachment.process().wait(), 0);
    // ext4 wants CAP_SYS_RESOURCE for it; without, the machine starts all the same.
    constexpr int sys_resource = 24;
    const std::string status = read_file("/proc/self/status");
    const auto caps = std::stoull(status.substr(status.find("CapEff:") + 7), nullptr, 16);
    if ((caps >> sys_resource & 1) != 0) {
        EXPECT_GT(size, 30 * mib);
        EXPECT_EQ(attachment.process().err(), "");
    } else {
        EXPECT_LT(size, 17 * mib);
        EXPECT_THAT(
            attachment.process().err(),
            AllOf(HasSubstr("warning: growing the filesystem of partition 1"), HasSubstr("not permitted")));
    }
}
