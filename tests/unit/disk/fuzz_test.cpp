// SPDX-License-Identifier: LGPL-2.1-or-later
// Images that somebody broke on purpose: whatever bytes they hold, there is an error, or a table
// that can be relied on.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.hpp"
#include "disk/choose.hpp"
#include "disk/image_gpt.hpp"
#include "disk/partition_types.hpp"
#include "disk/table.hpp"

using namespace berth;
using namespace berth::test;

namespace {

constexpr unsigned rounds = 800;
constexpr std::uint64_t sectors = 1024;
constexpr std::uint64_t usable_end = sectors - 33; // the copy of the table comes then

/// Values at which code goes wrong.
std::uint64_t nasty(std::mt19937_64 &random) {
    constexpr std::uint64_t values[] = {
        0,          1,          2,          33,         34,         63,         64,           0x7f,
        0x80,       0xff,       1022,       1023,       1024,       0x7fffffff, 0x80000000,   0xffffffff,
        1ULL << 32, 1ULL << 54, 1ULL << 55, 1ULL << 62, 1ULL << 63, ~0ULL,      ~0ULL - 1024, ~0ULL >> 9};
    return random() % 4 == 0 ? random() : values[random() % std::size(values)];
}

void mutate(GptImage &image, std::mt19937_64 &random) {
    // The protective MBR, the headers, and the first entries, where it matters most.
    constexpr std::pair<std::size_t, std::size_t> places[] = {
        {446, 66}, {512, 92}, {512 + 24, 66}, {1024, 512}, {(sectors - 1) * 512, 92}, {64 * 512, 4096}};
    const auto &[start, length] = places[random() % std::size(places)];
    const std::size_t at = start + random() % length;
    switch (random() % 4) {
    case 0: image.data()[at] ^= static_cast<unsigned char>(1U << random() % 8); break;
    case 1: image.data()[at] = static_cast<unsigned char>(random()); break;
    case 2: image.put(at, static_cast<std::uint32_t>(nasty(random))); break;
    default: image.put(at, nasty(random)); break;
    }
}

void expect_sound(const disk::Table &table, std::uint64_t size, std::uint64_t round) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const disk::Partition &partition : table.partitions) {
        ASSERT_GT(partition.size, 0U) << round;
        ASSERT_LE(partition.offset, size) << round;
        ASSERT_LE(partition.size, size - partition.offset) << round;
        if (!partition.extended)
            ranges.emplace_back(partition.offset, partition.size);
    }
    std::ranges::sort(ranges);
    for (std::size_t i = 1; i < ranges.size(); ++i)
        ASSERT_LE(ranges[i - 1].first + ranges[i - 1].second, ranges[i].first) << round;

    const disk::Choice choice = disk::choose(table, "x.img");
    for (const disk::Use &use : choice.uses) {
        ASSERT_LT(use.partition, table.partitions.size()) << round;
        ASSERT_TRUE(use.path.starts_with('/')) << round;
    }
    if (choice.first_problem().empty()) {
        ASSERT_FALSE(choice.uses.empty()) << round;
        ASSERT_EQ(choice.uses.front().path, "/") << round;
    }
}

struct Verdicts {
    unsigned sound = 0;
    unsigned refused = 0;
};

void look_into(GptImage &image, std::uint64_t round, Verdicts &verdicts) {
    const unique_fd file = image.file();
    try {
        expect_sound(disk::read_table(file.get(), image.data().size(), 512, "x.img"), image.data().size(),
                     round);
        ++verdicts.sound;
    } catch (const Error &error) {
        ASSERT_STRNE(error.what(), "") << round;
        ++verdicts.refused;
    }
}

GptImage original() {
    GptImage image({{std::string(disk::native_root_type()), 64, 511, 0, "root_1"},
                    {type_home, 512, 767, disk::gpt_read_only, "home"},
                    {type_esp, 768, usable_end - 1, 0, "esp"}},
                   sectors);
    image.put_ext4(64);
    return image;
}

} // namespace

TEST(ImageFuzz, BrokenBytes) {
    std::mt19937_64 random(20251); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    Verdicts verdicts;
    for (unsigned round = 0; round < rounds && !HasFatalFailure(); ++round) {
        GptImage image = original();
        for (std::uint64_t i = 0; i <= random() % 4; ++i)
            mutate(image, random);
        look_into(image, round, verdicts);
    }
    // Checksums stop nearly all that touches the table; what lies in partitions is no matter here.
    EXPECT_GT(verdicts.refused, rounds / 4);
    EXPECT_GT(verdicts.sound, rounds / 20);
}

TEST(ImageFuzz, BrokenBytesUnderRightChecksums) {
    std::mt19937_64 random(20252); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    Verdicts verdicts;
    for (unsigned round = 0; round < rounds && !HasFatalFailure(); ++round) {
        GptImage image = original();
        for (std::uint64_t i = 0; i <= random() % 6; ++i)
            mutate(image, random);
        image.sign();
        look_into(image, round, verdicts);
    }
    EXPECT_GT(verdicts.refused, rounds / 8);
    EXPECT_GT(verdicts.sound, rounds / 8);
}

TEST(ImageFuzz, AnyLength) {
    std::mt19937_64 random(20253); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    Verdicts verdicts;
    for (unsigned round = 0; round < rounds / 8 && !HasFatalFailure(); ++round) {
        GptImage image = original();
        image.data().resize(1 + random() % (random() % 2 == 0 ? 4096 : usable_end * 512 - 1));
        look_into(image, round, verdicts);
    }
    EXPECT_EQ(verdicts.sound, 0U); // each lacks something that the table speaks of
}
