// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/gpt_check.hpp"

#include <endian.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/error.hpp"

namespace berth::disk::gpt {

namespace {

/// Where things are in a header and in an entry: UEFI specification, "GPT Disk Layout".
constexpr std::size_t header_bytes = 92;
constexpr std::uint32_t entry_bytes = 128;
/// Tools make 128 of them; the kernel knows no more than 256.
constexpr std::uint32_t max_entries = 1024;
constexpr std::string_view signature = "EFI PART";

struct Header {
    std::uint64_t own = 0; ///< this header's sector
    std::uint64_t first_usable = 0;
    std::uint64_t last_usable = 0; ///< inclusive
    std::uint64_t entries = 0;     ///< first sector of the entries
    std::uint32_t entry_count = 0;
    std::uint32_t entry_size = 0;
};

template <class Value> Value number_at(const unsigned char *data) {
    Value value{};
    std::memcpy(&value, data, sizeof value);
    if constexpr (sizeof value == sizeof(std::uint64_t))
        return le64toh(value);
    else
        return le32toh(value);
}

/// As many bytes as there are, up to `length`.
std::vector<unsigned char> read_at(int fd, std::uint64_t offset, std::size_t length,
                                   const std::string &name) {
    std::vector<unsigned char> data(length);
    std::size_t got = 0;
    while (got < length) {
        const ssize_t n = ::pread(fd, data.data() + got, length - got, static_cast<off_t>(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail_errno("reading {}", name);
        if (n == 0)
            break;
        got += static_cast<std::size_t>(n);
    }
    data.resize(got);
    return data;
}

std::optional<Header> read_header(int fd, std::uint64_t offset, const std::string &name) {
    const auto data = read_at(fd, offset, header_bytes, name);
    if (data.size() < header_bytes || std::memcmp(data.data(), signature.data(), signature.size()) != 0)
        return std::nullopt;
    const unsigned char *at = data.data();
    return Header{.own = number_at<std::uint64_t>(at + 24),
                  .first_usable = number_at<std::uint64_t>(at + 40),
                  .last_usable = number_at<std::uint64_t>(at + 48),
                  .entries = number_at<std::uint64_t>(at + 72),
                  .entry_count = number_at<std::uint32_t>(at + 80),
                  .entry_size = number_at<std::uint32_t>(at + 84)};
}

/// libblkid reads as many entries as either header says, so both are looked at.
void check_counts(const Header &header, const std::string &name) {
    if (header.entry_size != entry_bytes || header.entry_count == 0 || header.entry_count > max_entries)
        fail(
            "{} has a GPT with {} entries of {} bytes, where at most {} of {} bytes make sense: the table is "
            "damaged",
            name, header.entry_count, header.entry_size, max_entries, entry_bytes);
}

} // namespace

std::optional<unsigned> sector_size(int fd, const std::string &name) {
    std::optional<unsigned> found;
    for (const unsigned candidate : {512U, 1024U, 2048U, 4096U}) {
        const auto header = read_header(fd, candidate, name);
        if (!header || header->own != 1)
            continue;
        if (found)
            fail(
                "{} has a GPT for sectors of {} bytes and one for sectors of {}: it is unclear which counts; "
                "wipe the stale one",
                name, *found, candidate);
        found = candidate;
    }
    return found;
}

bool is_announced(int fd, const std::string &name) {
    constexpr std::size_t table = 446;
    constexpr unsigned char protective = 0xee;
    const auto sector = read_at(fd, 0, 512, name);
    if (sector.size() < 512 || sector[510] != 0x55 || sector[511] != 0xaa)
        return false;
    for (std::size_t entry = 0; entry < 4; ++entry)
        if (sector[table + entry * 16 + 4] == protective)
            return true;
    return false;
}

void check_headers(int fd, std::uint64_t size, unsigned sector_size, const std::string &name) {
    const std::uint64_t sectors = size / sector_size;
    if (sectors < 3)
        fail("{} is too small for the GPT that it begins with", name);
    if (const auto backup = read_header(fd, (sectors - 1) * sector_size, name))
        check_counts(*backup, name);
    const auto header = read_header(fd, sector_size, name);
    if (!header)
        fail("{} has no valid GPT header in its second sector: the table is damaged; sfdisk --verify tells "
             "more",
             name);
    check_counts(*header, name);
    if (header->last_usable >= sectors)
        fail("{} has a GPT for a disk of at least {} sectors of {} bytes, but ends after {}: it was cut off, "
             "or "
             "not copied to its end",
             name, header->last_usable, sector_size, sectors);
    const std::uint64_t table_sectors =
        (std::uint64_t{header->entry_count} * entry_bytes + sector_size - 1) / sector_size;
    if (header->entries < 2 || header->entries > sectors || table_sectors > sectors - header->entries)
        fail("{} has a GPT whose entries are outside of the image: the table is damaged", name);
    if (header->first_usable > header->last_usable)
        fail("{} has a GPT whose usable range ends before it begins: the table is damaged", name);
}

void check_entries(int fd, unsigned sector_size, const std::string &name) {
    const auto header = read_header(fd, sector_size, name);
    if (!header)
        fail("{} changed while it was read", name);
    check_counts(*header, name);
    const auto table =
        read_at(fd, header->entries * sector_size, std::size_t{header->entry_count} * entry_bytes, name);
    for (std::size_t at = 0; at + entry_bytes <= table.size(); at += entry_bytes) {
        const unsigned char *entry = table.data() + at;
        constexpr std::size_t uuid_bytes = 16;
        if (std::all_of(entry, entry + uuid_bytes, [](unsigned char byte) { return byte == 0; }))
            continue; // unused
        const auto first = number_at<std::uint64_t>(entry + 32);
        const auto last = number_at<std::uint64_t>(entry + 40);
        const std::size_t number = at / entry_bytes + 1;
        if (last < first)
            fail("partition {} of {} ends before it begins: the partition table is damaged", number, name);
        if (first < header->first_usable || last > header->last_usable)
            fail("partition {} of {} takes sectors {} to {}, but only {} to {} are there for partitions: the "
                 "partition table is damaged",
                 number, name, first, last, header->first_usable, header->last_usable);
    }
}

} // namespace berth::disk::gpt
