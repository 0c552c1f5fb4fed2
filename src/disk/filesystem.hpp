// SPDX-License-Identifier: LGPL-2.1-or-later
// The filesystems that are mounted from images, and how.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "disk/table.hpp"

namespace berth::disk {

struct FilesystemType {
    std::string_view name;
    bool read_only; ///< it can be nothing else
    bool for_boot;  ///< only a boot loader's: no machine lives on it
};

/// Nothing for one that is not mounted.
[[nodiscard]] const FilesystemType *filesystem_type(std::string_view name);

/// Why `content` cannot be mounted for `designator`, as a predicate ("is encrypted …"); empty when it can.
[[nodiscard]] std::string content_problem(const Content &content, std::string_view designator);

/// Mounts what is on the block device `device`, detached. Throws Error; its code is ENODEV when the
/// kernel does not have the filesystem.
[[nodiscard]] unique_fd mount_filesystem(const std::string &type, const std::string &device,
                                         std::string_view designator, bool read_only);

/// Grows the mounted filesystem to `size` bytes. Throws Error where that does not work.
void grow_filesystem(const std::string &type, int mount, std::uint64_t size);

/// Throws Error when the ext4 in that range of `fd` is not all there: when it has its journal on
/// another device, which the kernel would look for among the host's.
void check_ext4(int fd, std::uint64_t offset, const std::string &name);

} // namespace berth::disk
