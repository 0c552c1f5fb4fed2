// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/table.hpp"

#include <blkid/blkid.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "disk/gpt_check.hpp"

namespace berth::disk {

namespace {

/// libblkid counts in these, whatever the sectors of the table are.
constexpr std::uint64_t unit = 512;

struct FreeProbe {
    void operator()(blkid_probe probe) const noexcept { ::blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<std::remove_pointer_t<blkid_probe>, FreeProbe>;

Probe make_probe(int fd, std::uint64_t offset, std::uint64_t size, unsigned sector_size,
                 const std::string &name) {
    Probe probe(::blkid_new_probe());
    if (!probe)
        fail_code(ENOMEM, "looking into {}", name);
    errno = 0;
    if (::blkid_probe_set_device(probe.get(), fd, static_cast<blkid_loff_t>(offset),
                                 static_cast<blkid_loff_t>(size))
            != 0
        || ::blkid_probe_set_sectorsize(probe.get(), sector_size) != 0)
        fail_code(errno != 0 ? errno : EIO, "looking into {}", name);
    return probe;
}

std::string value(const Probe &probe, const char *key) {
    const char *data = nullptr;
    std::size_t length = 0;
    if (::blkid_probe_lookup_value(probe.get(), key, &data, &length) != 0 || data == nullptr)
        return {};
    return {data, ::strnlen(data, length)};
}

std::string text(const char *from) {
    return from != nullptr ? from : "";
}

/// What lies in that range, when taken as a whole.
Content content_of(int fd, std::uint64_t offset, std::uint64_t size, unsigned sector_size,
                   const std::string &name) {
    const Probe probe = make_probe(fd, offset, size, sector_size, name);
    ::blkid_probe_enable_partitions(probe.get(), 0);
    ::blkid_probe_enable_superblocks(probe.get(), 1);
    ::blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID
                                                         | BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
    errno = 0;
    const int result = ::blkid_do_safeprobe(probe.get());
    if (result == BLKID_PROBE_ERROR)
        fail_code(errno != 0 ? errno : EIO, "looking for a filesystem in {}", name);
    if (result == BLKID_PROBE_AMBIGUOUS)
        return {.ambiguous = true};
    if (result != BLKID_PROBE_OK)
        return {};
    return {.type = value(probe, "TYPE"),
            .usage = value(probe, "USAGE"),
            .label = value(probe, "LABEL"),
            .uuid = value(probe, "UUID")};
}

std::uint64_t bytes_of(blkid_loff_t units, unsigned number, const std::string &name) {
    if (units < 0 || static_cast<std::uint64_t>(units) > std::numeric_limits<std::int64_t>::max() / unit)
        fail("partition {} of {} is at an impossible place: the partition table is damaged", number, name);
    return static_cast<std::uint64_t>(units) * unit;
}

Partition partition_of(blkid_partition entry, Scheme scheme, const std::string &name) {
    Partition partition;
    partition.number = static_cast<unsigned>(::blkid_partition_get_partno(entry));
    partition.offset = bytes_of(::blkid_partition_get_start(entry), partition.number, name);
    partition.size = bytes_of(::blkid_partition_get_size(entry), partition.number, name);
    partition.uuid = text(::blkid_partition_get_uuid(entry));
    if (scheme == Scheme::gpt) {
        partition.type = text(::blkid_partition_get_type_string(entry));
        std::ranges::transform(partition.type, partition.type.begin(),
                               [](unsigned char c) { return std::tolower(c); });
        partition.label = text(::blkid_partition_get_name(entry));
        partition.flags = ::blkid_partition_get_flags(entry);
    } else {
        constexpr unsigned long long active = 0x80;
        partition.type = berth::format("0x{:02x}", ::blkid_partition_get_type(entry));
        partition.bootable = (::blkid_partition_get_flags(entry) & active) != 0;
        partition.extended = ::blkid_partition_is_extended(entry) != 0;
    }
    return partition;
}

/// All partitions have some size, are within the image and apart from each other.
void check_places(const Table &table, std::uint64_t size, const std::string &name) {
    std::vector<const Partition *> order;
    for (const Partition &partition : table.partitions) {
        if (partition.size == 0)
            fail("partition {} of {} has no size: the partition table is damaged", partition.number, name);
        if (partition.offset > size || partition.size > size - partition.offset)
            fail("partition {} of {} goes from byte {} to byte {}, but the image has only {}: it was cut "
                 "off, or "
                 "its partition table is damaged",
                 partition.number, name, partition.offset, partition.offset + partition.size, size);
        if (!partition.extended)
            order.push_back(&partition);
    }
    std::ranges::sort(order, {}, &Partition::offset);
    for (std::size_t i = 1; i < order.size(); ++i)
        if (order[i - 1]->offset + order[i - 1]->size > order[i]->offset)
            fail("partitions {} and {} of {} overlap: the partition table is damaged", order[i - 1]->number,
                 order[i]->number, name);
}

/// The partitions, without a look into them; Scheme::none when there is no table.
Table partitions_of(int fd, std::uint64_t size, unsigned sector_size, const std::string &name) {
    const Probe probe = make_probe(fd, 0, size, sector_size, name);
    std::array<char, 4> gpt{"gpt"};
    std::array<char, 4> dos{"dos"};
    std::array<char *, 3> schemes{gpt.data(), dos.data(), nullptr};
    ::blkid_probe_enable_superblocks(probe.get(), 0);
    ::blkid_probe_enable_partitions(probe.get(), 1);
    ::blkid_probe_set_partitions_flags(probe.get(), BLKID_PARTS_ENTRY_DETAILS);
    ::blkid_probe_filter_partitions_type(probe.get(), BLKID_FLTR_ONLYIN, schemes.data());
    const auto list = ::blkid_probe_get_partitions(probe.get());
    const auto root = list != nullptr ? ::blkid_partlist_get_table(list) : nullptr;
    if (root == nullptr)
        return {};

    Table table;
    table.scheme = text(::blkid_parttable_get_type(root)) == "gpt" ? Scheme::gpt : Scheme::mbr;
    table.sector_size = sector_size;
    table.uuid = text(::blkid_parttable_get_id(root));
    // A table that only its copy at the end vouches for is one that somebody has to repair first.
    if (table.scheme == Scheme::gpt && ::blkid_parttable_get_offset(root) != sector_size)
        return {};
    if (table.scheme == Scheme::gpt)
        gpt::check_entries(fd, sector_size, name);
    for (int i = 0; i < ::blkid_partlist_numof_partitions(list); ++i) {
        const auto entry = ::blkid_partlist_get_partition(list, i);
        if (::blkid_partition_get_table(entry) == root || ::blkid_partition_is_logical(entry) != 0)
            table.partitions.push_back(partition_of(entry, table.scheme, name));
    }
    return table;
}

Table read_partitions(int fd, std::uint64_t size, unsigned sector_size, const std::string &name) {
    const auto own_size = gpt::sector_size(fd, name);
    const bool announced = gpt::is_announced(fd, name);
    if (announced)
        gpt::check_headers(fd, size, own_size.value_or(sector_size), name);
    Table table = partitions_of(fd, size, own_size.value_or(sector_size), name);
    if (announced && table.scheme != Scheme::gpt)
        fail("{} has a GPT with a wrong checksum: the partition table is damaged; sfdisk --verify tells "
             "more, and "
             "gdisk may repair it from its copy",
             name);
    check_places(table, size, name);
    for (Partition &partition : table.partitions)
        if (!partition.extended)
            partition.content = content_of(fd, partition.offset, partition.size, table.sector_size,
                                           berth::format("partition {} of {}", partition.number, name));
    return table;
}

} // namespace

Table read_table(int fd, std::uint64_t size, unsigned sector_size, const std::string &name) {
    if (size == 0)
        fail("{} is empty, so it is no disk image", name);
    Content whole = content_of(fd, 0, size, sector_size, name);
    if (whole.ambiguous)
        fail("{} has the marks of several filesystems: wipefs shows them, and removes those that are stale",
             name);
    // A filesystem may leave the first sectors as they were, so it counts more than what is there.
    const bool is_filesystem = whole.usage == "filesystem" || whole.usage == "crypto";
    if (!is_filesystem)
        if (Table table = read_partitions(fd, size, sector_size, name); table.scheme != Scheme::none)
            return table;
    if (whole.type.empty())
        fail("{} holds no filesystem and no partition table that is known: berth takes raw disk images, "
             "others can "
             "be converted (qemu-img convert -O raw)",
             name);
    Table table;
    table.sector_size = sector_size;
    Partition &only = table.partitions.emplace_back();
    only.label = whole.label;
    only.uuid = whole.uuid;
    only.size = size;
    only.content = std::move(whole);
    return table;
}

} // namespace berth::disk
