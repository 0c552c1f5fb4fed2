// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-image, and what the launcher gets from it: real images on real loop devices.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <format>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "build.hpp"
#include "runtime/image.hpp"
#include "support/host_test.hpp"
#include "support/trees.hpp"

using namespace berth;
using namespace berth::test;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t mib = 1024UL * 1024;

#if defined(__x86_64__)
constexpr const char *type_root = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
constexpr const char *type_usr = "8484680c-9521-48c6-9c11-b0720656f69e";
constexpr const char *type_root_verity = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5";
#elif defined(__aarch64__)
constexpr const char *type_root = "b921b045-1df0-41c3-af44-4c6f280d3fae";
constexpr const char *type_usr = "b0e01050-ee5f-4390-949a-9101b17104e9";
constexpr const char *type_root_verity = "df3300ce-d69f-4c92-978c-9bfb0f38d820";
#endif
constexpr const char *type_home = "933ac7e1-2eb4-4f13-b844-0e14e2aef915";
constexpr const char *type_esp = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
constexpr const char *type_xbootldr = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
constexpr const char *type_swap = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f";

std::string program() {
    return std::string(build::libexecdir) + "/berth-image";
}

/// A line of sfdisk(8)'s script for a partition.
std::string part(std::uint64_t start_mib, std::uint64_t size_mib, const std::string &type,
                 const std::string &more = "") {
    return std::format("start={}, size={}, type={}{}{}\n", start_mib * mib / 512, size_mib * mib / 512, type,
                       more.empty() ? "" : ", ", more);
}

/// An image being made, with a tree to fill filesystems from.
class Image {
public:
    explicit Image(const Folder &folder, const std::string &name = "disk.img", std::uint64_t size_mib = 48)
        : path_(folder / name), tree_(folder / (name + ".tree")) {
        std::ofstream(path_).close();
        fs::resize_file(path_, size_mib * mib);
        for (const char *each : {"etc", "usr", "home", "var", "efi", "boot"})
            fs::create_directories(tree_ / each);
        std::ofstream(tree_ / "etc/hostname") << name << '\n';
    }

    /// Partitions it: "gpt" or "dos".
    Image &table(const std::string &label, const std::string &lines) {
        const Outcome done = run({"sfdisk", "--quiet", path_}, "label: " + label + "\n" + lines);
        EXPECT_EQ(done.status, 0) << done.err;
        return *this;
    }
    Image &ext4(std::uint64_t start_mib, std::uint64_t size_mib, const Words &more = {}) {
        Words words{"mkfs.ext4", "-q", "-F", "-d", tree_, "-E", std::format("offset={}", start_mib * mib)};
        words.insert(words.end(), more.begin(), more.end());
        words.insert(words.end(), {path_, std::format("{}M", size_mib)});
        succeed(words);
        return *this;
    }
    Image &vfat(std::uint64_t start_mib, std::uint64_t size_mib) {
        succeed({"mkfs.vfat", std::format("--offset={}", start_mib * mib / 512), path_,
                 std::to_string(size_mib * 1024)});
        return *this;
    }
    Image &squashfs() {
        succeed({"mksquashfs", tree_, path_, "-quiet", "-noappend"});
        return *this;
    }
    Image &bytes(std::uint64_t at, std::string_view text) {
        std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(at));
        file.write(text.data(), static_cast<std::streamsize>(text.size()));
        return *this;
    }

    [[nodiscard]] std::string path() const { return path_; }
    [[nodiscard]] const fs::path &tree() const { return tree_; }
    [[nodiscard]] std::string hash() const { return succeed({"sha256sum", path_}); }

private:
    fs::path path_;
    fs::path tree_;
};

/// A LUKS2 header as far as it takes to be taken for one.
constexpr std::string_view luks("LUKS\xba\xbe\x00\x02\x00\x00\x00\x00\x00\x00\x40\x00", 16);

/// The sector that makes a disk one of LVM's, with its checksum.
std::string lvm_label() {
    std::string label = "LABELONE" + std::string("\x01\0\0\0\0\0\0\0" "\0\0\0\0" "\x20\0\0\0" "LVM2 001", 24);
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

class ImageProgram : public HostTest {
protected:
    void TearDown() override {
        EXPECT_TRUE(eventually([this] { return loops().empty(); }, std::chrono::seconds(20)))
            << "left attached: " << testing::PrintToString(loops());
        HostTest::TearDown();
    }

    /// The loop devices whose image is in our folder.
    [[nodiscard]] std::vector<std::string> loops() const {
        std::vector<std::string> found;
        for (const auto &entry : fs::directory_iterator("/sys/block")) {
            try {
                const auto file = read_file_if_there(entry.path() / "loop/backing_file");
                if (file && file->starts_with(folder_.path().native()))
                    found.push_back(entry.path().filename());
            } catch (const Error &error) {
                if (error.code() != ENODEV) // it went while we looked
                    throw;
            }
        }
        return found;
    }

    Folder folder_;
};

fs::path path_of(int fd) {
    return std::format("/proc/self/fd/{}", fd);
}

/// "root / rw" for each.
std::vector<std::string> summary(const std::vector<image::Mount> &mounts) {
    std::vector<std::string> lines;
    for (const image::Mount &mount : mounts)
        lines.push_back(std::format("{} {} {}", mount.designator, mount.path, mount.read_only ? "ro" : "rw"));
    return lines;
}

std::string error_of_attach(const std::string &path, bool read_only = false) {
    try {
        const auto mounts = image::attach(path, read_only);
        ADD_FAILURE() << "attached " << path << " as " << testing::PrintToString(summary(mounts));
    } catch (const Error &error) {
        return error.what();
    }
    return {};
}

int write_error(const image::Mount &mount, const std::string &file) {
    const unique_fd fd(::open((path_of(mount.mount.get()) / file).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    return fd ? 0 : errno;
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {}));
}

bool kernel_has(const std::string &filesystem) {
    return read_file("/proc/filesystems").contains("\t" + filesystem + "\n");
}

/// berth-image with a socket of ours, by hand.
class Attachment {
public:
    struct Received {
        json message;
        unique_fd fd;
    };

    explicit Attachment(const std::string &image, Words before = {}, bool read_only = false) {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
            fail_errno("creating a socket pair");
        ours_.reset(ends[0]);
        unique_fd theirs(ends[1]);
        ::fcntl(theirs.get(), F_SETFD, 0);
        before.insert(before.end(), {program(), "attach", std::format("--socket={}", theirs.get()), image});
        if (read_only)
            before.emplace_back("--read-only");
        process_.emplace(before);
    }

    /// The next message; nothing at the end.
    std::optional<Received> receive() {
        std::array<char, 4096> text{};
        alignas(cmsghdr) std::array<unsigned char, CMSG_SPACE(4 * sizeof(int))> control{};
        iovec part{.iov_base = text.data(), .iov_len = text.size()};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t n = ::recvmsg(ours_.get(), &header, MSG_CMSG_CLOEXEC);
        if (n <= 0)
            return std::nullopt;
        Received received{.message = json::parse(std::string_view(text.data(), static_cast<std::size_t>(n))),
                          .fd = {}};
        if (const cmsghdr *rights = CMSG_FIRSTHDR(&header); rights != nullptr) {
            EXPECT_EQ(rights->cmsg_len, CMSG_LEN(sizeof(int))) << "one descriptor each";
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
            received.fd.reset(fd);
        }
        return received;
    }

    std::vector<Received> receive_all() {
        std::vector<Received> all;
        while (auto received = receive())
            all.push_back(std::move(*received));
        return all;
    }

    [[nodiscard]] Process &process() { return *process_; }

private:
    unique_fd ours_;
    std::optional<Process> process_;
};

json dissection(const std::string &path) {
    return json::parse(succeed({program(), "dissect", "--json", path}));
}

/// Root, /usr for reading, /home, and an EFI system partition.
Image full_image(const Folder &folder, const std::string &name = "disk.img") {
    Image image(folder, name, 64);
    image.table("gpt", part(1, 16, type_root, "name=\"os_1\"") + part(17, 16, type_usr, "attrs=\"GUID:60\"")
                           + part(33, 8, type_home) + part(41, 8, type_esp, "name=\"EFI\"")
                           + part(49, 8, type_swap));
    image.ext4(1, 16).ext4(17, 16).ext4(33, 8).vfat(41, 8);
    return image;
}

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
        flags[std::string(trim(read_file(device / "loop/offset")))] =
            std::format("{} {}", trim(read_file(device / "ro")), trim(read_file(device / "loop/sizelimit")));
    }
    EXPECT_EQ(flags.at(std::to_string(1 * mib)), std::format("0 {}", 16 * mib));
    EXPECT_EQ(flags.at(std::to_string(17 * mib)), std::format("1 {}", 16 * mib));
    EXPECT_EQ(flags.at(std::to_string(33 * mib)), std::format("0 {}", 8 * mib));
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
        EXPECT_THAT(attachment.process().err(), AllOf(HasSubstr("warning: mounting partition 4"), HasSubstr("(esp)"),
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
    EXPECT_EQ(error_of_attach(bare.path()),
              bare.path()
                  + " is encrypted with LUKS, which berth does not open: open it with cryptsetup, and give the mapped "
                    "device as the image");
    Image image(folder_);
    image.table("gpt", part(1, 16, type_root) + part(17, 8, type_home)).ext4(1, 16).bytes(17 * mib, luks);
    EXPECT_THAT(error_of_attach(image.path()), HasSubstr("partition 2 of " + image.path() + " (home) is encrypted"));
    succeed({"sfdisk", "--part-attrs", image.path(), "2", "GUID:63"}); // not needed, so it does not matter
    EXPECT_THAT(summary(image::attach(image.path(), false)), ElementsAre("root / rw"));
}

TEST_F(ImageProgram, VerityIsRefused) {
    Image image(folder_);
    image.table("gpt", part(1, 16, type_root) + part(17, 8, type_root_verity)).ext4(1, 16);
    EXPECT_THAT(error_of_attach(image.path()), HasSubstr("(root) is protected by dm-verity (see partition 2)"));
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
    image.ext4(0, 48).bytes(1024 + 4, "\xff\xff\xff\x7f"); // a block count beyond the end, and a wrong checksum
    const std::string error = error_of_attach(image.path());
    EXPECT_THAT(error, HasSubstr(image.path()));
    EXPECT_THAT(error, Not(HasSubstr("\n")));
}

TEST_F(ImageProgram, AnImageInUseIsBusy) {
    Image image(folder_);
    image.ext4(0, 48);
    {
        const auto writing = image::attach(image.path(), false); // the program has ended; its lock has not
        EXPECT_THAT(error_of_attach(image.path()), HasSubstr("is in use by another machine or program"));
        EXPECT_THAT(error_of_attach(image.path(), true), HasSubstr("may write to it: stop that first"));
        EXPECT_EQ(loops().size(), 1U);
    }
    ASSERT_TRUE(eventually([&] { return loops().empty(); }));
    {
        const auto reading = image::attach(image.path(), true);
        const auto too = image::attach(image.path(), true);
        EXPECT_THAT(error_of_attach(image.path()), HasSubstr("is in use by another machine or program"));
    }
    ASSERT_TRUE(eventually([&] { return loops().empty(); }));
    EXPECT_EQ(image::attach(image.path(), false).size(), 1U);
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
    ASSERT_TRUE(eventually([&] { return loops().empty(); }));
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
    { EXPECT_THAT(summary(image::attach(copy, true)), ElementsAre("root / ro")); }
    ASSERT_TRUE(eventually([&] { return loops().empty(); }));
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
        EXPECT_THAT(attachment.process().err(),
                    AllOf(HasSubstr("warning: growing the filesystem of partition 1"), HasSubstr("not permitted")));
    }
}

TEST_F(ImageProgram, MessagesAreAsDocumented) {
    const Image image = full_image(folder_);
    Attachment attachment(image.path());
    auto all = attachment.receive_all();
    ASSERT_GE(all.size(), 4U);
    EXPECT_EQ(attachment.process().wait(), 0);
    EXPECT_EQ(all.back().message, json({{"end", true}}));
    EXPECT_FALSE(all.back().fd);
    all.pop_back();
    const json disk = dissection(image.path());
    for (std::size_t i = 0; i < all.size(); ++i) {
        const json &partition = disk["partitions"][i];
        const json &message = all[i].message;
        EXPECT_TRUE(all[i].fd);
        EXPECT_EQ(message["designator"], partition["designator"]);
        EXPECT_EQ(message["path"], partition["used_as"]);
        EXPECT_EQ(message["read_only"], partition["read_only"]);
        EXPECT_EQ(message["filesystem"], partition["filesystem"]);
        EXPECT_EQ(message["uuid"], partition["uuid"]);
        EXPECT_EQ(message["label"], partition["label"].is_null() ? "" : partition["label"]);
        EXPECT_EQ(message.size(), 6U);
    }
}

TEST_F(ImageProgram, DissectTellsWhatWasMade) {
    const Image image = full_image(folder_);
    const json made = json::parse(succeed({"sfdisk", "--json", image.path()}))["partitiontable"];
    const json seen = dissection(image.path());
    const auto lower = [](std::string text) {
        for (char &c : text)
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        return text;
    };
    EXPECT_EQ(seen["image"], image.path());
    EXPECT_EQ(seen["table"], "gpt");
    EXPECT_EQ(seen["uuid"], lower(made["id"]));
    EXPECT_EQ(seen["size"], 64 * mib);
    EXPECT_EQ(seen["problem"], nullptr);
    ASSERT_EQ(seen["partitions"].size(), made["partitions"].size());
    for (std::size_t i = 0; i < made["partitions"].size(); ++i) {
        const json &is = seen["partitions"][i];
        const json &was = made["partitions"][i];
        EXPECT_EQ(is["number"], i + 1);
        EXPECT_EQ(is["type"], lower(was["type"]));
        EXPECT_EQ(is["uuid"], lower(was["uuid"]));
        EXPECT_EQ(is["offset"], was["start"].get<std::uint64_t>() * 512);
        EXPECT_EQ(is["size"], was["size"].get<std::uint64_t>() * 512);
        EXPECT_EQ(is["label"], was.value("name", json()));
    }
    const auto column = [&seen](const char *key) {
        json values = json::array();
        for (const json &partition : seen["partitions"])
            values.push_back(partition[key]);
        return values;
    };
    EXPECT_EQ(column("designator"), json({"root", "usr", "home", "esp", "swap"}));
    EXPECT_EQ(column("filesystem"), json({"ext4", "ext4", "ext4", "vfat", nullptr}));
    EXPECT_EQ(column("used_as"), json({"/", "/usr", "/home", "/efi", nullptr}));
    EXPECT_EQ(column("read_only"), json({false, true, false, false, false}));
}

TEST_F(ImageProgram, DissectIsForPeopleToo) {
    const Image image = full_image(folder_);
    const std::string text = succeed({program(), "dissect", image.path()});
    EXPECT_THAT(text, AllOf(HasSubstr("64.0M, GPT"), HasSubstr("DESIGNATOR"), HasSubstr("os_1"),
                            HasSubstr("/usr (read-only)"), HasSubstr("swap")));
    EXPECT_THAT(text, Not(HasSubstr("Problem")));
}

TEST_F(ImageProgram, DissectNeedsNoRights) {
    Image image(folder_);
    image.ext4(0, 48, {"-L", "mine"});
    fs::permissions(image.path(), fs::perms{0644});
    const json seen = json::parse(succeed({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                           "--inh-caps=-all", program(), "dissect", "--json", image.path()}));
    EXPECT_EQ(seen["partitions"][0]["label"], "mine");
}

TEST_F(ImageProgram, DissectShowsWhatNoMachineCanHave) {
    Image image(folder_);
    image.table("gpt", part(1, 16, type_root) + part(17, 8, type_home)).ext4(1, 16).bytes(17 * mib, luks);
    const json seen = dissection(image.path());
    EXPECT_THAT(seen["problem"].get<std::string>(), HasSubstr("(home) is encrypted"));
    EXPECT_EQ(seen["partitions"][0]["problem"], nullptr);
    EXPECT_EQ(seen["partitions"][1]["problem"], seen["problem"]);
    EXPECT_THAT(succeed({program(), "dissect", image.path()}), HasSubstr("Problem: partition 2"));
}

TEST_F(ImageProgram, LabelsDoNotSteerTheTerminal) {
    Image image(folder_);
    image.ext4(0, 48, {"-L", "\x1b[2J\x07\xff"});
    const std::string text = succeed({program(), "dissect", image.path()});
    EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\x07"))));
    EXPECT_THAT(dissection(image.path())["partitions"][0]["label"].get<std::string>(), HasSubstr("\x1b[2J\x07"));
    Attachment attachment(image.path());
    const auto received = attachment.receive_all();
    ASSERT_EQ(received.size(), 2U);
    EXPECT_THAT(received[0].message["label"].get<std::string>(), HasSubstr("\x1b[2J"));
}

TEST_F(ImageProgram, ErrorsAreOneSentence) {
    const auto says = [](const Words &words) {
        Words all{program()};
        all.insert(all.end(), words.begin(), words.end());
        const Outcome outcome = run(all);
        EXPECT_EQ(outcome.status, 1);
        EXPECT_EQ(outcome.out, "");
        EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
        return outcome.err;
    };
    const std::string none = folder_ / "none";
    EXPECT_THAT(says({"dissect", none}), HasSubstr("opening the image " + none + ": No such file or directory"));
    EXPECT_THAT(says({"dissect", folder_.path()}), HasSubstr("is a directory, not a disk image"));
    EXPECT_THAT(says({"dissect", "/dev/null"}), HasSubstr("neither a file nor a block device"));
    const std::string fifo = folder_ / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_THAT(says({"dissect", fifo}), HasSubstr("neither a file nor a block device"));
    EXPECT_THAT(says({"dissect", folder_.write("empty", "")}), HasSubstr("is empty"));
    EXPECT_THAT(says({"dissect", folder_.write("text", std::string(5000, 'x'))}), HasSubstr("qemu-img convert"));
    EXPECT_THAT(says({"attach", "--socket=0", none}), HasSubstr("descriptor 0"));
    EXPECT_THAT(says({"attach", "--socket=x", none}), HasSubstr("that is no descriptor"));
    EXPECT_THAT(says({"attach"}), HasSubstr("a verb and an image are needed"));
    EXPECT_THAT(says({"detach", none}), HasSubstr("there is no verb detach"));
    EXPECT_THAT(says({"dissect", "--frob", none}), HasSubstr("--frob is no option"));
}

TEST_F(ImageProgram, ABlockDeviceIsAnImage) {
    const Image image = full_image(folder_);
    const std::string device = succeed({"losetup", "--find", "--show", image.path()});
    ASSERT_THAT(device, HasSubstr("/dev/loop"));
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
    succeed({"losetup", "--detach", device});
}

TEST_F(ImageProgram, MissingDeviceNodesAreNoProblem) {
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
        ASSERT_TRUE(eventually([&] { return loops().empty(); }));
    }
}

TEST_F(ImageProgram, ManyAtOnceDoNotTakeEachOthersDevices) {
    Image original(folder_);
    original.ext4(0, 48);
    constexpr std::size_t count = 12;
    std::vector<std::string> images;
    for (std::size_t i = 0; i < count; ++i) {
        images.push_back(folder_ / std::format("{}.img", i));
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

TEST_F(ImageProgram, KilledAtAnyStepLeavesNothing) {
    const Image image = full_image(folder_);
    unsigned killed = 0;
    for (const char *call : {"flock", "ioctl", "fsopen", "fsconfig", "fsmount", "sendmsg", "close"}) {
        for (unsigned when = 1;; ++when) {
            ASSERT_LT(when, 200U) << call;
            Attachment attachment(image.path(), {"strace", "-qq", "-o", "/dev/null", "-e",
                                                 std::format("trace={}", call), "-e",
                                                 std::format("inject={}:signal=KILL:when={}", call, when)});
            const auto received = attachment.receive_all(); // what it sent before stays ours until here
            const int status = attachment.process().wait();
            if (status == 0) {
                EXPECT_GT(when, 1U) << call << " was never called";
                break;
            }
            EXPECT_EQ(status, 128 + SIGKILL) << call << " " << when << attachment.process().err();
            ++killed;
        }
    }
    EXPECT_GT(killed, 30U);
    ASSERT_TRUE(eventually([&] { return loops().empty(); })) << testing::PrintToString(loops());
    EXPECT_GE(image::attach(image.path(), false).size(), 3U); // no lock is left either
}

TEST_F(ImageProgram, MountsThatNobodyTakesAreGone) {
    const Image image = full_image(folder_);
    {
        Attachment attachment(image.path());
        // The socket is closed with what is in it.
        EXPECT_TRUE(eventually([&] { return attachment.process().ended(); }));
        EXPECT_FALSE(loops().empty());
    }
    EXPECT_TRUE(eventually([&] { return loops().empty(); }));
}

TEST_F(ImageProgram, DevicesLiveAsLongAsAMountInAMachine) {
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
    EXPECT_TRUE(eventually([&] { return loops().empty(); }));
}
