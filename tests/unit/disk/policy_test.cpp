// SPDX-License-Identifier: LGPL-2.1-or-later
// Image policies as systemd.image-policy(7) has them. What each means here is what
// `systemd-analyze image-policy` says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "config/image_policy.hpp"
#include "config/settings.hpp"
#include "expect_error.hpp"

using namespace berth;
using berth::test::error_of;
using testing::HasSubstr;

namespace {

/// "verity+absent ro" and the like; "-" when nothing is allowed.
std::string flags(std::string_view policy, std::string_view partition) {
    const ImagePolicy::Flags flags = ImagePolicy(policy).flags(partition);
    const std::vector<std::pair<ImagePolicy::Flags, const char *>> names{
        {ImagePolicy::verity, "verity"},       {ImagePolicy::signature, "signed"},
        {ImagePolicy::encrypted, "encrypted"}, {ImagePolicy::unprotected, "unprotected"},
        {ImagePolicy::unused, "unused"},       {ImagePolicy::absent, "absent"},
    };
    std::string text;
    for (const auto &[flag, name] : names)
        if ((flags & flag) != 0)
            text += (text.empty() ? "" : "+") + std::string(name);
    if (text.empty())
        text = "-";
    const auto pair = [&](ImagePolicy::Flags on, ImagePolicy::Flags off, const char *name) {
        EXPECT_NE(flags & (on | off), 0U);
        if ((flags & (on | off)) != (on | off))
            text += std::string(" ") + name + ((flags & on) != 0 ? "=yes" : "=no");
    };
    pair(ImagePolicy::read_only_on, ImagePolicy::read_only_off, "ro");
    pair(ImagePolicy::growfs_on, ImagePolicy::growfs_off, "grow");
    return text;
}

constexpr const char *all = "verity+signed+encrypted+unprotected+unused+absent";
constexpr const char *plain = "encrypted+unprotected+unused+absent";
constexpr const char *hashes = "unprotected+unused+absent";
constexpr const char *ignored = "unused+absent";

} // namespace

TEST(ImagePolicy, Meanings) {
    struct Case {
        const char *policy;
        const char *partition;
        const char *flags;
    };
    for (const Case &one : {
             // the short forms
             Case{"*", "root", all},
             {"*", "usr", all},
             {"*", "home", plain},
             {"*", "esp", plain},
             {"*", "swap", plain},
             {"*", "root-verity", hashes},
             {"*", "usr-verity-sig", hashes},
             {"-", "root", ignored},
             {"", "root", ignored},
             {"-", "usr-verity", ignored},
             {"~", "root", "absent"},
             {"~", "var", "absent"},
             {"~", "root-verity", "absent"},
             // words for several
             {"root=open", "root", all},
             {"home=open", "home", plain},
             {"root=ignore", "root", ignored},
             {"root=open+absent", "root", all},
             {"root=ignore+unprotected", "root", hashes},
             {"root=unprotected+unprotected", "root", "unprotected"},
             // nothing said of something is all of it
             {"root=", "root", all},
             {"=", "tmp", plain},
             {"root=read-only-on", "root", "verity+signed+encrypted+unprotected+unused+absent ro=yes"},
             {"root=read-only-on+read-only-off+growfs-on", "root",
              "verity+signed+encrypted+unprotected+unused+absent grow=yes"},
             {"srv=unprotected+growfs-off+read-only-off", "srv", "unprotected ro=no grow=no"},
             // the default
             {"root=unprotected", "home", ignored},
             {"root=unprotected:=absent", "home", "absent"},
             {"=open:root=unprotected", "root", "unprotected"},
             {"=read-only-on", "swap", "encrypted+unprotected+unused+absent ro=yes"},
             {"=signed", "root", "signed"},
             {"=verity+absent", "root-verity", "absent"},
             // what cannot be
             {"home=verity", "home", "-"},
             {"home=signed+encrypted", "home", "encrypted"},
             {"root-verity=encrypted", "root-verity", "-"},
             {"root-verity=verity+absent", "root-verity", "absent"},
             {"=signed", "tmp", "-"},
             {"=signed", "usr-verity-sig", "-"},
             // hashes follow from what they protect
             {"root=verity", "root-verity", "unprotected"},
             {"root=verity", "root-verity-sig", ignored},
             {"root=verity", "usr-verity", ignored},
             {"usr=verity", "usr-verity", "unprotected"},
             {"root=signed", "root-verity", "unprotected"},
             {"root=signed", "root-verity-sig", "unprotected"},
             {"root=verity+unprotected", "root-verity", "unprotected"},
             {"root=open", "root-verity", hashes},
             {"root=", "root-verity-sig", hashes},
             {"root=encrypted+unprotected", "root-verity", ignored},
             {"root=verity+absent", "root-verity", "unprotected+absent"},
             {"root=signed+unused", "root-verity-sig", "unprotected+unused"},
             {"root=verity+read-only-on+growfs-off", "root-verity", "unprotected ro=yes grow=no"},
             {"root=verity:=absent", "root-verity", "unprotected"},
             {"root=verity:=absent", "root-verity-sig", "absent"},
             {"root=unprotected:=verity", "root-verity", "-"},
             {"root=signed:root-verity=absent", "root-verity", "absent"},
             // blanks
             {" root=open", "root", all},
             {"root = verity + unprotected : usr=absent", "root", "verity+unprotected"},
             {"root=open:\tusr=absent\n", "usr", "absent"},
             {" = open", "root", all},
         })
        EXPECT_EQ(flags(one.policy, one.partition), one.flags) << one.policy << ", " << one.partition;
}

TEST(ImagePolicy, TheStandardOneIsThatOfSystemdNspawn) {
    const auto standard = [](const char *partition) { return flags(ImagePolicy::standard, partition); };
    for (const char *each : {"root", "usr"})
        EXPECT_EQ(standard(each), "verity+signed+encrypted+unprotected+absent");
    for (const char *each : {"home", "srv", "tmp", "var"})
        EXPECT_EQ(standard(each), "encrypted+unprotected+absent");
    for (const char *each : {"esp", "xbootldr"})
        EXPECT_EQ(standard(each), "unprotected+absent");
    EXPECT_EQ(standard("swap"), ignored);
    EXPECT_EQ(ImagePolicy().text(), ImagePolicy::standard);
}

TEST(ImagePolicy, Mistakes) {
    struct Case {
        const char *policy;
        const char *reason;
    };
    for (const Case &one : {
             Case{"root", "\"root\" is not of the form PARTITION=FLAG[+FLAG…]"},
             {"root=open:*", "\"*\" is not of the form"},
             {"*:root=open", "\"*\" is not of the form"},
             {"root=open:", "\"\" is not of the form"},
             {":root=open", "\"\" is not of the form"},
             {"root=open::usr=open", "\"\" is not of the form"},
             {"foo=open", "\"foo\" is no partition: there are root, usr, home"},
             {"Root=open", "\"Root\" is no partition"},
             {"linux-generic=open", "is no partition"},
             {"root=foo", "\"foo\" is not verity, signed, encrypted"},
             {"root=open+foo", "\"foo\" is not"},
             {"root=OPEN", "\"OPEN\" is not"},
             {"root=open+", "\"\" is not"},
             {"root=+open", "\"\" is not"},
             {"root==open", "\"=open\" is not"},
             {"root=open=absent", "\"open=absent\" is not"},
             {"root=open,usr=open", "\"open,usr=open\" is not"},
             {"root=verity:root=signed", "there are two rules for root"},
             {"=open:=absent", "there are two rules for all other partitions"},
         })
        EXPECT_THAT(error_of([&] { (void)ImagePolicy(one.policy); }), HasSubstr(one.reason)) << one.policy;
}

TEST(ImagePolicy, TheSettingIsCheckedAndKept) {
    const auto apply = [](const char *value) {
        MachineConfig config;
        const Assignment assignment{
            .setting = find_option("image-policy"), .value = value, .origin = {"m.toml:3"}};
        berth::apply(config, {&assignment, 1});
        return config.root.image_policy;
    };
    EXPECT_EQ(apply("root=verity:=absent"), "root=verity:=absent");
    EXPECT_EQ(apply(""), "");
    EXPECT_THAT(error_of([&] { (void)apply("root=x"); }), testing::StartsWith("m.toml:3: \"x\" is not"));
}
