// SPDX-License-Identifier: LGPL-2.1-or-later
// Which partitions a machine gets.
#include <gtest/gtest.h>

#include <systemd/sd-gpt.h>

#include "base/format.hpp"
#include "disk/choose.hpp"
#include "disk/image_gpt.hpp"
#include "disk/partition_types.hpp"
#include "expect_error.hpp"

using namespace berth;
using namespace berth::test;
using namespace berth::disk;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

std::string root_type() {
    return std::string(native_root_type());
}

std::string uuid(const sd_id128_t &id) {
    std::string digits;
    for (const std::uint8_t byte : id.bytes)
        digits += berth::format("{:02x}", byte);
    return uuid_of(digits);
}

const std::string type_usr = uuid(SD_GPT_USR_NATIVE);
const std::string type_root_verity = uuid(SD_GPT_ROOT_NATIVE_VERITY);
const std::string type_usr_verity = uuid(SD_GPT_USR_NATIVE_VERITY);

Table table(Scheme scheme, std::vector<Partition> partitions) {
    Table made{.scheme = scheme, .partitions = std::move(partitions)};
    unsigned number = 0;
    for (Partition &partition : made.partitions)
        partition.number = ++number;
    return made;
}

Partition part(const std::string &type, const std::string &label = "", std::uint64_t flags = 0,
               const std::string &filesystem = "ext4") {
    return {.type = type,
            .label = label,
            .size = 512,
            .flags = flags,
            .content = {.type = filesystem, .usage = filesystem.empty() ? "" : "filesystem"}};
}

Partition bootable(Partition partition) {
    partition.bootable = true;
    return partition;
}

/// "1 root / rw" for each.
std::vector<std::string> uses(const Choice &choice, const Table &of) {
    std::vector<std::string> lines;
    for (const Use &use : choice.uses)
        lines.push_back(berth::format("{} {} {} {}", of.partitions[use.partition].number, use.designator,
                                      use.path, use.read_only ? "ro" : "rw"));
    return lines;
}

std::vector<std::string> uses(const Table &of) {
    const Choice choice = choose(of, "x.img");
    EXPECT_EQ(choice.first_problem(), "");
    return uses(choice, of);
}

std::string problem(const Table &of) {
    return choose(of, "x.img").first_problem();
}

} // namespace

TEST(ImageChoose, AllThatTheSpecificationKnowsParentsFirst) {
    const Table all = table(Scheme::gpt, {part(type_tmp), part(type_esp, "", 0, "vfat"), part(type_var),
                                          part(type_swap), part(type_srv), part(type_home),
                                          part(type_xbootldr), part(type_usr), part(root_type())});
    EXPECT_THAT(uses(all),
                ElementsAre("9 root / rw", "8 usr /usr rw", "6 home /home rw", "5 srv /srv rw",
                            "3 var /var rw", "1 tmp /var/tmp rw", "7 xbootldr /boot rw", "2 esp /efi rw"));
}

TEST(ImageChoose, FlagsAreHonoured) {
    const Table flags = table(Scheme::gpt, {part(root_type(), "", gpt_read_only),
                                            part(type_home, "", gpt_no_auto), part(type_srv, "", gpt_grow)});
    const Choice choice = choose(flags, "x.img");
    EXPECT_THAT(uses(choice, flags), ElementsAre("1 root / ro", "3 srv /srv rw"));
    EXPECT_FALSE(choice.uses[0].grow);
    EXPECT_TRUE(choice.uses[1].grow);
}

TEST(ImageChoose, TheSystemPartitionHasAFlagOfItsOwn) {
    const auto with = [](std::uint64_t flags) {
        return uses(table(Scheme::gpt, {part(root_type()), part(type_esp, "", flags, "vfat")})).size();
    };
    EXPECT_EQ(with(gpt_no_auto), 2U);
    EXPECT_EQ(with(gpt_no_block_io), 1U);
}

TEST(ImageChoose, ReadOnlyFilesystemsAreReadOnly) {
    EXPECT_THAT(
        uses(table(Scheme::gpt, {part(root_type(), "", 0, "erofs"), part(type_usr, "", 0, "squashfs")})),
        ElementsAre("1 root / ro", "2 usr /usr ro"));
}

TEST(ImageChoose, TheNewestVersionOfSystemsAndTheFirstOfData) {
    EXPECT_THAT(
        uses(table(Scheme::gpt, {part(root_type(), "os_9"), part(root_type(), "os_11"),
                                 part(root_type(), "os_10"), part(type_home, "1"), part(type_home, "2")})),
        ElementsAre("2 root / rw", "4 home /home rw"));
    EXPECT_THAT(uses(table(Scheme::gpt, {part(root_type(), "same"), part(root_type(), "same")})),
                ElementsAre("1 root / rw"));
    EXPECT_THAT(uses(table(Scheme::gpt, {part(root_type(), "1"), part(root_type(), "_empty")})),
                ElementsAre("1 root / rw"));
}

TEST(ImageChoose, OtherArchitecturesAreNamed) {
    EXPECT_THAT(problem(table(Scheme::gpt, {part(uuid(SD_GPT_ROOT_S390X))})), HasSubstr("for s390x only"));
    EXPECT_THAT(uses(table(Scheme::gpt, {part(uuid(SD_GPT_ROOT_S390X), "9"), part(root_type(), "1")})),
                ElementsAre("2 root / rw"));
}

#ifdef SD_GPT_ROOT_SECONDARY
TEST(ImageChoose, TheProcessorsOtherModeIsSecondBest) {
    const std::string root = uuid(SD_GPT_ROOT_SECONDARY);
    const std::string usr = uuid(SD_GPT_USR_SECONDARY);
    EXPECT_THAT(
        uses(table(Scheme::gpt, {part(root, "9"), part(usr), part(root_type(), "1"), part(type_usr)})),
        ElementsAre("3 root / rw", "4 usr /usr rw"));
    EXPECT_THAT(uses(table(Scheme::gpt, {part(root), part(type_usr), part(usr)})),
                ElementsAre("1 root / rw", "3 usr /usr rw"));
}
#endif

TEST(ImageChoose, OneGenericPartitionIsTheRoot) {
    EXPECT_THAT(uses(table(Scheme::gpt, {part(type_swap), part(type_linux), part(type_home)})),
                ElementsAre("2 root / rw", "3 home /home rw"));
    EXPECT_THAT(uses(table(Scheme::gpt, {part(type_linux), part(root_type())})), ElementsAre("2 root / rw"));
    EXPECT_THAT(uses(table(Scheme::gpt, {part(type_linux, "", gpt_no_auto), part(type_linux)})),
                ElementsAre("2 root / rw"));
    EXPECT_THAT(problem(table(Scheme::gpt, {part(type_linux), part(type_linux)})),
                HasSubstr("several Linux partitions, none of which is marked as the root"));
}

TEST(ImageChoose, NoRoot) {
    EXPECT_THAT(problem(table(Scheme::gpt, {part(type_home)})), HasSubstr("no root partition for"));
    EXPECT_THAT(problem(table(Scheme::gpt, {})), HasSubstr("no root partition for"));
    EXPECT_THAT(problem(table(Scheme::gpt, {part(type_usr), part(type_linux)})),
                HasSubstr("none for the root"));
    EXPECT_THAT(problem(table(Scheme::gpt, {part("11111111-2222-3333-4444-555555555555")})),
                HasSubstr("no root partition for"));
}

TEST(ImageChoose, Mbr) {
    EXPECT_THAT(uses(table(Scheme::mbr, {part("0x82", "", 0, "swap"), bootable(part("0x83")), part("0x83")})),
                ElementsAre("2 root / rw"));
    EXPECT_THAT(uses(table(Scheme::mbr, {part("0x0c", "", 0, "vfat"), part("0x83")})),
                ElementsAre("2 root / rw"));
    EXPECT_THAT(uses(table(Scheme::mbr, {bootable(part("0x83")), part("0xea")})),
                ElementsAre("1 root / rw", "2 xbootldr /boot rw"));
    EXPECT_THAT(problem(table(Scheme::mbr, {part("0x83"), part("0x83")})), HasSubstr("marked bootable"));
    EXPECT_THAT(problem(table(Scheme::mbr, {bootable(part("0x83")), bootable(part("0x83"))})),
                HasSubstr("marked bootable"));
    EXPECT_THAT(problem(table(Scheme::mbr, {part("0x07", "", 0, "ntfs")})), HasSubstr("no Linux partition"));
}

TEST(ImageChoose, WhatCannotBeOpenedIsNamed) {
    const auto root = [](const std::string &filesystem, const std::string &usage) {
        Table one = table(Scheme::gpt, {part(root_type(), "", 0, filesystem)});
        one.partitions[0].content.usage = usage;
        return problem(one);
    };
    EXPECT_THAT(root("crypto_LUKS", "crypto"),
                HasSubstr("partition 1 of x.img (root) is encrypted with LUKS"));
    EXPECT_THAT(root("LVM2_member", "raid"), HasSubstr("belongs to LVM"));
    EXPECT_THAT(root("linux_raid_member", "raid"),
                HasSubstr("a part of a larger volume (linux_raid_member)"));
    EXPECT_THAT(root("DM_verity_hash", "crypto"), HasSubstr("hashes of dm-verity"));
    EXPECT_THAT(root("ntfs", "filesystem"), HasSubstr("holds ntfs, but berth mounts only ext4, xfs, btrfs"));
    EXPECT_THAT(root("vfat", "filesystem"), HasSubstr("holds vfat, but"));
    EXPECT_THAT(root("", ""), HasSubstr("holds no filesystem"));
}

TEST(ImageChoose, VerityIsRefusedWhereItProtectsWhatIsNeeded) {
    EXPECT_THAT(
        problem(table(Scheme::gpt, {part(root_type()), part(type_root_verity, "", 0, "DM_verity_hash")})),
        HasSubstr("(root) is protected by dm-verity (see partition 2)"));
    EXPECT_THAT(uses(table(Scheme::gpt, {part(root_type()), part(type_usr_verity, "", 0, "DM_verity_hash")})),
                ElementsAre("1 root / rw"));
    EXPECT_THAT(uses(table(Scheme::gpt, {part(root_type()), part(type_root_verity, "_empty", 0, "")})),
                ElementsAre("1 root / rw"));
}

TEST(ImageChoose, WhatIsNotNeededMayBeAnything) {
    EXPECT_THAT(uses(table(Scheme::gpt, {part(root_type()), part(type_linux, "", 0, "crypto_LUKS"),
                                         part(type_home, "", gpt_no_auto, "LVM2_member")})),
                ElementsAre("1 root / rw"));
    // A boot partition is needed only if the tree has a place for it.
    const Table esp = table(Scheme::gpt, {part(root_type()), part(type_esp, "", 0, "ntfs")});
    const Choice choice = choose(esp, "x.img");
    EXPECT_EQ(choice.first_problem(), "");
    EXPECT_THAT(choice.uses.at(1).problem, HasSubstr("holds ntfs, but berth mounts only vfat there"));
    EXPECT_THAT(problem(table(Scheme::gpt, {part(root_type()), part(type_home, "", 0, "crypto_LUKS")})),
                HasSubstr("partition 2 of x.img (home) is encrypted"));
}

TEST(ImageChoose, ABareFilesystemIsTheRoot) {
    Table bare{.scheme = Scheme::none, .partitions = {part("", "label")}};
    EXPECT_THAT(uses(bare), ElementsAre("0 root / rw"));
    bare.partitions[0].content = {.type = "crypto_LUKS", .usage = "crypto"};
    EXPECT_THAT(problem(bare), testing::StartsWith("x.img is encrypted with LUKS"));
}

TEST(ImageChoose, APolicyLeavesOutWhatIsNotToBeUsed) {
    const Table all = table(Scheme::gpt, {part(root_type()), part(type_usr), part(type_home),
                                          part(type_esp, "", 0, "vfat"), part(type_swap)});
    const auto chosen = [&all](const char *policy) {
        const Choice choice = choose(all, "x.img", ImagePolicy(policy));
        EXPECT_EQ(choice.first_problem(), "") << policy;
        return uses(choice, all);
    };
    EXPECT_THAT(chosen("root=open"), ElementsAre("1 root / rw"));
    EXPECT_THAT(chosen("usr=ignore:=open"), ElementsAre("1 root / rw", "3 home /home rw", "4 esp /efi rw"));
    EXPECT_EQ(chosen("*").size(), 4U);
}

TEST(ImageChoose, APolicyIsNotBroken) {
    const Table all = table(Scheme::gpt, {part(root_type(), "", gpt_grow), part(type_home)});
    const auto said = [](const Table &of, const char *policy) {
        return choose(of, "x.img", ImagePolicy(policy)).first_problem();
    };
    EXPECT_EQ(said(all, "root=open:home=absent"), "partition 2 of x.img (home) is there, which the image "
                                                  "policy \"root=open:home=absent\" does not allow");
    EXPECT_EQ(said(all, "root=open:srv=open+unused"), "");
    EXPECT_THAT(said(all, "root=open:srv=unprotected"), HasSubstr("x.img has no partition for srv, which"));
    EXPECT_THAT(said(all, "root=encrypted+verity"), HasSubstr("is not protected, but"));
    EXPECT_THAT(said(all, "root=encrypted+verity"), HasSubstr("wants it to be verity or encrypted"));
    EXPECT_THAT(said(all, "root=growfs-off"), HasSubstr("(root) has the growfs flag, which"));
    EXPECT_THAT(said(all, "root=ignore"), HasSubstr("(root) is the root, which"));
    EXPECT_THAT(said(table(Scheme::none, {part("")}), "~"), HasSubstr("is there, which"));
    EXPECT_EQ(said(table(Scheme::none, {part("")}), "root=open:home=unprotected"), "")
        << "there are no partitions";
    EXPECT_THAT(said(table(Scheme::mbr, {part("0x83")}), "root=absent"), HasSubstr("(root) is there, which"));
}

TEST(ImageChoose, APolicyThatAsksForNoProtectionGetsNone) {
    const Table hashed = table(Scheme::gpt, {part(root_type()), part(type_root_verity)});
    EXPECT_THAT(problem(hashed), HasSubstr("berth cannot check"));
    EXPECT_EQ(choose(hashed, "x.img", ImagePolicy("root=unprotected")).first_problem(), "");
    EXPECT_THAT(choose(hashed, "x.img", ImagePolicy("root=verity")).first_problem(),
                HasSubstr("berth cannot check"));
    EXPECT_THAT(choose(hashed, "x.img", ImagePolicy("root=signed")).first_problem(),
                HasSubstr("wants it to be signed"));
}
