// SPDX-License-Identifier: LGPL-2.1-or-later
// What is in a disk image: its partitions and what they hold. Nothing of it is trusted: what comes
// out of here lies within the image and does not overlap.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace berth::disk {

enum class Scheme : std::uint8_t {
    none, ///< no partitions: the image is one filesystem
    mbr,
    gpt,
};

/// Attribute bits of GPT partitions: UEFI's, and those of the Discoverable Partitions Specification.
inline constexpr std::uint64_t gpt_no_block_io = 1ULL << 1;
inline constexpr std::uint64_t gpt_grow = 1ULL << 59;
inline constexpr std::uint64_t gpt_read_only = 1ULL << 60;
inline constexpr std::uint64_t gpt_no_auto = 1ULL << 63;

/// What libblkid recognizes somewhere. Strings are as the image has them: any bytes but NUL.
struct Content {
    std::string type;  ///< "ext4", "crypto_LUKS"; empty when nothing was recognized
    std::string usage; ///< "filesystem", "crypto", "raid", "other"
    std::string label;
    std::string uuid;
    bool ambiguous = false; ///< several things were recognized
};

struct Partition {
    unsigned number = 0; ///< from 1; 0 when the image has no partitions
    std::string type;    ///< lower-case UUID, or 0x83 in an MBR; empty without partitions
    std::string label;   ///< any bytes but NUL
    std::string uuid;
    std::uint64_t offset = 0; ///< in bytes, like all sizes here
    std::uint64_t size = 0;
    std::uint64_t flags = 0; ///< GPT attribute bits
    bool bootable = false;   ///< MBR's flag
    bool extended = false;   ///< of MBR: only a container of others
    Content content;
};

struct Table {
    Scheme scheme = Scheme::none;
    unsigned sector_size = 512;
    std::string uuid;                  ///< of the disk
    std::vector<Partition> partitions; ///< as many as one when there is no table
};

/// Reads what is in the `size` bytes behind `fd`. `name` is how errors call the image;
/// `sector_size` is what to assume unless the table itself tells. Throws Error when the table is
/// damaged, makes no sense, or there is nothing that is known.
[[nodiscard]] Table read_table(int fd, std::uint64_t size, unsigned sector_size, const std::string &name);

} // namespace berth::disk
