// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/filesystem.hpp"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/ext4.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/error.hpp"
#include "kernel/mounts.hpp"

namespace berth::disk {

namespace {

constexpr std::array types{
    FilesystemType{.name = "ext4", .read_only = false, .for_boot = false},
    FilesystemType{.name = "xfs", .read_only = false, .for_boot = false},
    FilesystemType{.name = "btrfs", .read_only = false, .for_boot = false},
    FilesystemType{.name = "squashfs", .read_only = true, .for_boot = false},
    FilesystemType{.name = "erofs", .read_only = true, .for_boot = false},
    FilesystemType{.name = "vfat", .read_only = false, .for_boot = true},
};

bool is_boot(std::string_view designator) {
    return designator == "esp" || designator == "xbootldr";
}

bool fits(const FilesystemType &type, std::string_view designator) {
    if (designator == "esp")
        return type.for_boot; // UEFI knows nothing else
    return !type.for_boot || is_boot(designator);
}

std::string names_for(std::string_view designator) {
    std::string names;
    for (const FilesystemType &type : types)
        if (fits(type, designator))
            names += (names.empty() ? "" : ", ") + std::string(type.name);
    return names;
}

std::vector<mounts::Option> options_of(std::string_view type, std::string_view designator, bool read_only) {
    std::vector<mounts::Option> options;
    if (read_only)
        options.emplace_back("ro", "");
    if (type == "ext4") {
        // What a filesystem asks for on errors may be to panic.
        options.emplace_back("errors", "remount-ro");
        // Or else the journal would be replayed, that is, written to.
        if (read_only)
            options.emplace_back("norecovery", "");
    } else if (type == "xfs") {
        options.emplace_back("nouuid", ""); // copies of an image may be mounted at once
        if (read_only)
            options.emplace_back("norecovery", "");
    } else if (type == "btrfs" && read_only) {
        options.emplace_back("rescue", "nologreplay");
    } else if (type == "vfat" && is_boot(designator)) {
        options.emplace_back("umask", "0077"); // it may hold the seeds of secrets
    }
    return options;
}

unsigned attributes_of(std::string_view designator, bool read_only) {
    unsigned attributes = MOUNT_ATTR_NODEV | (read_only ? unsigned{MOUNT_ATTR_RDONLY} : 0U);
    if (is_boot(designator))
        attributes |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
    if (designator == "tmp")
        attributes |= MOUNT_ATTR_NOSUID;
    return attributes;
}

} // namespace

const FilesystemType *filesystem_type(std::string_view name) {
    const auto *const at = std::ranges::find(types, name, &FilesystemType::name);
    return at == types.end() ? nullptr : at;
}

std::string content_problem(const Content &content, std::string_view designator) {
    if (content.ambiguous)
        return "has the marks of several filesystems: wipefs shows them, and removes those that are stale";
    if (content.type.empty())
        return "holds no filesystem that is known: make one (mkfs), or remove the partition";
    if (content.type == "crypto_LUKS")
        return "is encrypted with LUKS, which berth does not open: open it with cryptsetup, and give the "
               "mapped "
               "device as the image";
    if (content.type == "LVM2_member")
        return "belongs to LVM, which berth does not activate: activate its volume group, and give the "
               "logical "
               "volume as the image";
    if (content.type == "DM_verity_hash")
        return "holds hashes of dm-verity and no filesystem";
    if (content.usage == "raid")
        return berth::format("is a part of a larger volume ({}), which berth does not assemble",
                             content.type);
    const FilesystemType *type = filesystem_type(content.type);
    if (type == nullptr || !fits(*type, designator))
        return berth::format("holds {}, but berth mounts only {} there", content.type, names_for(designator));
    return {};
}

unique_fd mount_filesystem(const std::string &type, const std::string &device, std::string_view designator,
                           bool read_only) {
    auto options = options_of(type, designator, read_only);
    options.emplace_back("source", device);
    return mounts::new_filesystem(type, options, attributes_of(designator, read_only));
}

void grow_filesystem(const std::string &type, int mount, std::uint64_t size) {
    const unique_fd root(::openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root)
        fail_errno("opening its root");
    if (type == "btrfs") {
        btrfs_ioctl_vol_args arguments{};
        std::strncpy(arguments.name, "max", sizeof arguments.name - 1);
        if (::ioctl(root.get(), BTRFS_IOC_RESIZE, &arguments) < 0)
            fail_errno("resizing btrfs");
    } else if (type == "ext4") {
        struct statfs state{};
        if (::fstatfs(root.get(), &state) < 0)
            fail_errno("asking for its size");
        __u64 blocks = size / static_cast<std::uint64_t>(state.f_bsize);
        if (::ioctl(root.get(), EXT4_IOC_RESIZE_FS, &blocks) < 0)
            fail_errno("resizing ext4");
    } else {
        fail_code(EOPNOTSUPP, "resizing {}", type);
    }
}

void check_ext4(int fd, std::uint64_t offset, const std::string &name) {
    // Documentation/filesystems/ext4/super.rst
    constexpr std::uint64_t at = 1024;
    constexpr std::size_t compatible_features = 0x5c;
    constexpr std::size_t journal_inode = 0xe0;
    constexpr std::size_t mount_options = 0x200;
    constexpr std::size_t mount_options_bytes = 64;
    constexpr unsigned char has_journal = 0x04;
    std::array<unsigned char, 1024> block{};
    if (::pread(fd, block.data(), block.size(), static_cast<off_t>(offset + at))
        != static_cast<ssize_t>(block.size()))
        fail("reading the superblock of {} failed", name);
    const bool journal_inside = std::any_of(&block[journal_inode], &block[journal_inode] + 4,
                                            [](unsigned char byte) { return byte != 0; });
    std::string options(mount_options_bytes, '\0');
    std::memcpy(options.data(), &block[mount_options], mount_options_bytes);
    if (((block[compatible_features] & has_journal) != 0 && !journal_inside) || options.contains("journal_"))
        fail("{} holds an ext4 whose journal is on another device, which berth does not mount", name);
}

} // namespace berth::disk
