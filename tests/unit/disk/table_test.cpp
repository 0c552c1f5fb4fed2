// SPDX-License-Identifier: LGPL-2.1-or-later
// What comes out of images, good and broken ones.
#include <gtest/gtest.h>

#include "disk/filesystem.hpp"
#include "disk/image_gpt.hpp"
#include "disk/partition_types.hpp"
#include "disk/table.hpp"
#include "expect_error.hpp"

using namespace berth;
using namespace berth::test;
using disk::Scheme;
using testing::HasSubstr;

namespace {

disk::Table table_of(GptImage &image, std::uint64_t size) {
    return disk::read_table(image.file().get(), size, 512, "x.img");
}

disk::Table table_of(GptImage &image) {
    return table_of(image, image.data().size());
}

std::string error_in(GptImage &image) {
    return error_of([&] { (void)table_of(image); });
}

std::string root_type() {
    return std::string(disk::native_root_type());
}

/// Root from sector 64, home behind it.
GptImage usual() {
    return GptImage(
        {{root_type(), 64, 2111, 0, "root"}, {type_home, 2112, 4159, disk::gpt_read_only, "home"}});
}

/// An MBR with these entries (flag, type, first sector, sectors) in an image of 4 MiB.
struct MbrEntry {
    unsigned char flag, type;
    std::uint32_t first, count;
};
GptImage mbr(const std::vector<MbrEntry> &entries) {
    GptImage image({});
    std::fill(image.data().begin(), image.data().end(), 0);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::size_t at = 446 + 16 * i;
        image.data()[at] = entries[i].flag;
        image.data()[at + 4] = entries[i].type;
        image.put(at + 8, entries[i].first);
        image.put(at + 12, entries[i].count);
    }
    image.data()[510] = 0x55;
    image.data()[511] = 0xaa;
    return image;
}

} // namespace

TEST(ImageTable, GptIsReadAsItIs) {
    GptImage image = usual();
    image.put_ext4(64);
    const disk::Table table = table_of(image);
    EXPECT_EQ(table.scheme, Scheme::gpt);
    EXPECT_EQ(table.uuid, "dddddddd-0000-0000-0000-000000000000");
    ASSERT_EQ(table.partitions.size(), 2U);
    const disk::Partition &root = table.partitions[0];
    EXPECT_EQ(root.number, 1U);
    EXPECT_EQ(root.type, root_type());
    EXPECT_EQ(root.label, "root");
    EXPECT_EQ(root.uuid, "aaaaaaaa-0000-0000-0000-000000000000");
    EXPECT_EQ(root.offset, 64U * 512);
    EXPECT_EQ(root.size, 2048U * 512);
    EXPECT_EQ(root.flags, 0U);
    EXPECT_EQ(root.content.type, "ext4");
    EXPECT_EQ(table.partitions[1].flags, disk::gpt_read_only);
    EXPECT_EQ(table.partitions[1].content.type, "");
}

TEST(ImageTable, NumbersAreThoseOfTheTable) {
    GptImage image({});
    image.set_entry(6, {type_srv, 64, 127, 0, ""});
    image.sign();
    EXPECT_EQ(table_of(image).partitions.at(0).number, 7U);
}

TEST(ImageTable, SectorsOf4096Bytes) {
    GptImage image({{root_type(), 64, 319, 0, "root"}}, 1024, 4096);
    image.put_ext4(64);
    const disk::Table table = table_of(image);
    EXPECT_EQ(table.sector_size, 4096U);
    EXPECT_EQ(table.partitions.at(0).offset, 64U * 4096);
    EXPECT_EQ(table.partitions.at(0).size, 256U * 4096);
    EXPECT_EQ(table.partitions.at(0).content.type, "ext4");
}

TEST(ImageTable, TablesForTwoSectorSizesAreRefused) {
    GptImage image({{root_type(), 64, 127, 0, ""}}, 1024, 4096);
    image.put_text(512, "EFI PART");
    image.put<std::uint64_t>(512 + 24, 1);
    EXPECT_THAT(error_in(image), HasSubstr("sectors of 512 bytes and one for sectors of 4096"));
}

TEST(ImageTable, NothingAndNothingKnown) {
    GptImage image({});
    EXPECT_THAT(error_of([&] { (void)table_of(image, 0); }), HasSubstr("x.img is empty"));
    std::fill(image.data().begin(), image.data().end(), 0);
    EXPECT_THAT(error_in(image), HasSubstr("no filesystem and no partition table"));
    image.put_text(0, "QFI\xfb");
    EXPECT_THAT(error_in(image), HasSubstr("qemu-img convert"));
}

TEST(ImageTable, OneFilesystem) {
    GptImage image({});
    std::fill(image.data().begin(), image.data().end(), 0);
    image.put_ext4(0);
    image.put_text(1024 + 0x78, "my label");
    const disk::Table table = table_of(image);
    EXPECT_EQ(table.scheme, Scheme::none);
    ASSERT_EQ(table.partitions.size(), 1U);
    EXPECT_EQ(table.partitions[0].content.type, "ext4");
    EXPECT_EQ(table.partitions[0].label, "my label");
    EXPECT_EQ(table.partitions[0].size, image.data().size());
}

TEST(ImageTable, WrongChecksums) {
    GptImage image = usual();
    image.data()[1024 + 56] ^= 1; // in the primary entries; the copy at the end is right
    EXPECT_THAT(error_in(image), HasSubstr("wrong checksum"));
    image = usual();
    image.data()[512 + 56] ^= 1; // in the primary header
    EXPECT_THAT(error_in(image), HasSubstr("wrong checksum"));
    image = usual();
    image.put<std::uint64_t>(512, 0); // only the copy is there
    EXPECT_THAT(error_in(image), HasSubstr("no valid GPT header"));
}

TEST(ImageTable, CutOff) {
    GptImage image = usual();
    image.data().resize(image.data().size() / 2);
    EXPECT_THAT(error_in(image), HasSubstr("it was cut off"));
    image.data().resize(1024);
    EXPECT_THAT(error_in(image), HasSubstr("too small"));
}

TEST(ImageTable, EntriesOutsideOfTheDisk) {
    for (const auto &[first, last] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
             {64, 9000}, {9000, 9001}, {0, 63}, {33, 34}, {1ULL << 63, (1ULL << 63) + 1}, {64, ~0ULL}}) {
        GptImage image({{root_type(), first, last, 0, ""}});
        EXPECT_THAT(error_in(image), HasSubstr("are there for partitions")) << first << " " << last;
    }
}

TEST(ImageTable, EntriesOfNoSize) {
    GptImage image({{root_type(), 64, 63, 0, ""}});
    EXPECT_THAT(error_in(image), HasSubstr("partition 1 of x.img ends before it begins"));
    image = GptImage({{type_home, 64, 127, 0, ""}, {root_type(), ~0ULL, 0, 0, ""}});
    EXPECT_THAT(error_in(image), HasSubstr("partition 2 of x.img ends before it begins"));
}

TEST(ImageTable, OverlappingEntries) {
    GptImage image(
        {{root_type(), 100, 200, 0, ""}, {type_srv, 300, 400, 0, ""}, {type_home, 200, 250, 0, ""}});
    EXPECT_THAT(error_in(image), HasSubstr("partitions 1 and 3 of x.img overlap"));
}

TEST(ImageTable, TooManyEntries) {
    for (const std::uint32_t count : {0U, 1025U, 100000U, 0xffffffffU}) {
        GptImage image = usual();
        image.put(512 + 80, count);
        image.sign();
        EXPECT_THAT(error_in(image), HasSubstr("where at most 1024 of 128 bytes make sense")) << count;
    }
    GptImage image = usual(); // in the copy, which libblkid would turn to
    image.put<std::uint32_t>((8192 - 1) * 512 + 80, 0x1fffffff);
    EXPECT_THAT(error_in(image), HasSubstr("where at most 1024"));
    image = usual();
    image.put<std::uint32_t>(512 + 84, 4096);
    image.sign();
    EXPECT_THAT(error_in(image), HasSubstr("of 4096 bytes"));
}

TEST(ImageTable, ManyPartitionsAreFine) {
    GptImage image({});
    for (std::size_t i = 0; i < GptImage::entry_count; ++i)
        image.set_entry(i, {type_home, 64 + 8 * i, 71 + 8 * i, 0, ""});
    image.sign();
    EXPECT_EQ(table_of(image).partitions.size(), GptImage::entry_count);
}

TEST(ImageTable, HeadersThatPointElsewhere) {
    for (const unsigned long long entries : {0ULL, 1ULL, 8191ULL, ~0ULL, 1ULL << 55}) {
        GptImage image = usual();
        image.put<std::uint64_t>(512 + 72, entries);
        image.sign();
        EXPECT_THAT(error_in(image), HasSubstr("entries are outside")) << entries;
    }
    GptImage image = usual();
    image.put<std::uint64_t>(512 + 48, ~0ULL);
    image.sign();
    EXPECT_THAT(error_in(image), HasSubstr("it was cut off"));
    image = usual();
    image.put<std::uint64_t>(512 + 40, 5000);
    image.put<std::uint64_t>(512 + 48, 4000);
    image.sign();
    EXPECT_THAT(error_in(image), HasSubstr("ends before it begins"));
}

TEST(ImageTable, LabelsAreWhatTheyAre) {
    GptImage image({{root_type(), 64, 127, 0, "\x1b[2J\n\x7f"}});
    EXPECT_EQ(table_of(image).partitions.at(0).label, "\x1b[2J\n\x7f");
}

TEST(ImageTable, Mbr) {
    GptImage image = mbr({{0x80, 0x83, 64, 1000}, {0, 0x82, 2000, 100}});
    image.put_ext4(64);
    const disk::Table table = table_of(image);
    EXPECT_EQ(table.scheme, Scheme::mbr);
    ASSERT_EQ(table.partitions.size(), 2U);
    EXPECT_EQ(table.partitions[0].type, "0x83");
    EXPECT_TRUE(table.partitions[0].bootable);
    EXPECT_EQ(table.partitions[0].content.type, "ext4");
    EXPECT_EQ(table.partitions[1].type, "0x82");
    EXPECT_FALSE(table.partitions[1].bootable);
}

TEST(ImageTable, MbrThatMakesNoSense) {
    GptImage image = mbr({{0x80, 0x83, 64, 1000000}});
    EXPECT_THAT(error_in(image), HasSubstr("but the image has only 4194304"));
    image = mbr({{0x80, 0x83, 0xffffffff, 0xffffffff}});
    EXPECT_THAT(error_in(image), HasSubstr("but the image has only 4194304"));
    image = mbr({{0x80, 0x83, 64, 1000}, {0, 0x83, 1000, 1000}});
    EXPECT_THAT(error_in(image), HasSubstr("partitions 1 and 2 of x.img overlap"));
}

TEST(ImageTable, MbrWhoseExtendedPartitionsGoRoundInCircles) {
    GptImage image = mbr({{0, 0x05, 64, 4000}});
    const std::size_t at = std::size_t{64} * 512;
    image.data()[at + 446 + 4] = 0x83;
    image.put<std::uint32_t>(at + 446 + 8, 2);
    image.put<std::uint32_t>(at + 446 + 12, 10);
    image.data()[at + 462 + 4] = 0x05; // the next table is this one
    image.put<std::uint32_t>(at + 462 + 8, 0);
    image.put<std::uint32_t>(at + 462 + 12, 100);
    image.data()[at + 510] = 0x55;
    image.data()[at + 511] = 0xaa;
    const disk::Table table = table_of(image);
    ASSERT_EQ(table.partitions.size(), 2U);
    EXPECT_TRUE(table.partitions[0].extended);
    EXPECT_EQ(table.partitions[1].number, 5U);
    EXPECT_EQ(table.partitions[1].offset, 66U * 512);
}

TEST(ImageExt4, JournalsElsewhereAreRefused) {
    GptImage image = usual();
    image.put_ext4(64);
    const std::uint64_t offset = 64 * 512;
    const auto check = [&] { disk::check_ext4(image.file().get(), offset, "it"); };
    EXPECT_NO_THROW(check());
    image.put<std::uint32_t>(offset + 1024 + 0xe0, 0);
    EXPECT_THAT(error_of(check), HasSubstr("journal is on another device"));
    image.put<std::uint32_t>(offset + 1024 + 0x5c, 0); // no journal at all
    EXPECT_NO_THROW(check());
    image.put_text(offset + 1024 + 0x200, "journal_path=/dev/sda1");
    EXPECT_THAT(error_of(check), HasSubstr("journal is on another device"));
}
