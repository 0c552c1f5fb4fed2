// SPDX-License-Identifier: LGPL-2.1-or-later
// Image policies, beside systemd 257: images are taken and refused alike. systemd-nspawn itself opens
// images only where there is an udev, so here it is systemd-dissect that judges them; for
// systemd-nspawn see the suite for the virtual machine.
#include <array>
#include <filesystem>
#include <string>

#include "support/images.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth;
using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

class ImagePolicies : public ImageTest {
protected:
    Image full = full_image(folder_, "full.img");

    /// Its root is read-only and to be grown; its home is to be left alone.
    Image marked = Image(folder_, "marked.img")
                       .table("gpt", part(1, 16, type_root, "attrs=\"GUID:59,60\"")
                                         + part(17, 4, type_home, "attrs=\"GUID:63\""))
                       .ext4(1, 16);
    Image generic = Image(folder_, "generic.img").table("gpt", part(1, 16, type_generic)).ext4(1, 16);
    Image plain = Image(folder_, "plain.img", 16).ext4(0, 16);
    Image hashed = Image(folder_, "hashed.img")
                       .table("gpt", part(1, 16, type_root) + part(17, 4, type_root_verity)
                                         + part(21, 1, type_root_verity_sig))
                       .ext4(1, 16);
    Image secret = Image(folder_, "secret.img")
                       .table("gpt", part(1, 16, type_root) + part(17, 4, type_home))
                       .ext4(1, 16)
                       .bytes(17 * mib, luks);
};

/// What berth-image has against it, or "".
std::string problem(const Image &image, const std::string &policy) {
    const auto disk = nlohmann::json::parse(
        succeed({image_program(), "dissect", "--json", "--image-policy=" + policy, image.path()}));
    return disk["problem"].is_null() ? "" : disk["problem"].get<std::string>();
}

bool peer_takes(const Image &image, const std::string &policy) {
    const Outcome outcome = run({"systemd-dissect", "--validate", "--image-policy=" + policy, image.path()});
    const bool refused = outcome.err.contains("does not match image policy")
                         || outcome.err.contains("No suitable partitions found")
                         || outcome.err.contains("identify a suitable partition table");
    EXPECT_EQ(outcome.status != 0, refused) << policy << ": " << outcome.out << outcome.err;
    return outcome.status == 0;
}

constexpr std::array policies{
    "*",
    "-",
    "~",
    "",
    "root=",
    "root=open",
    "root=unprotected",
    "root=unprotected+encrypted",
    "root=verity",
    "root=signed",
    "root=encrypted",
    "root=unused",
    "root=absent",
    "root=ignore",
    "=open",
    "=unused",
    "=absent",
    "=encrypted+unused+absent:root=open",
    "=unprotected",
    "=verity:root=unprotected",
    "home=absent:=open",
    "home=unused:=open",
    "home=ignore:=open",
    "home=encrypted:=open",
    "home=encrypted+unprotected:=open",
    "home=encrypted+unused:=open",
    "home=verity:=open",
    "home=verity+absent:=open",
    "root=open:home=unprotected",
    "root=open:=absent",
    "root=open:var=unprotected",
    "root=open:var=unused",
    "root=open:tmp=encrypted+absent",
    "swap=absent:=open",
    "swap=encrypted:=open",
    "swap=unprotected:=open",
    "esp=absent:=open",
    "esp=encrypted:=open",
    "root=open:esp=unprotected",
    "xbootldr=unprotected:=open",
    "usr=absent:=open",
    "root=read-only-on",
    "root=read-only-off",
    "root=growfs-on",
    "root=growfs-off",
    "root=read-only-on+growfs-off",
    "=read-only-on",
    "=growfs-off",
    "usr=read-only-off:=open",
    "usr=read-only-on:=open",
    "usr=unused+read-only-off:=open",
    "usr=unused+absent+growfs-on:=open",
    "root=unprotected:root-verity=absent",
    "root=unprotected:root-verity=unused",
    "root=unprotected:root-verity=unprotected",
    "root=verity+unprotected",
    "root=signed+unprotected",
    "root=open:root-verity=absent",
    "root=open:root-verity-sig=absent",
    "root=open:usr-verity=unprotected",
    "root=verity+unprotected+absent",
    "root=verity+read-only-on",
    " root = unprotected : home = unused ",
};

} // namespace

TEST_F(ImagePolicies, ImagesAreTakenAndRefusedAsByThePeer) {
    unsigned taken = 0;
    unsigned refused = 0;
    for (const Image *image : {&full, &marked, &generic, &plain, &hashed, &secret})
        for (const std::string policy : policies) {
            const std::string said = problem(*image, policy);
            if (said.contains("which berth cannot check") || said.contains("is encrypted with LUKS, which")) {
                EXPECT_TRUE(peer_takes(*image, policy)) << policy;
                continue; // allowed, but beyond us
            }
            EXPECT_EQ(said.empty(), peer_takes(*image, policy))
                << image->path() << ": " << policy << ": " << said;
            ++(said.empty() ? taken : refused);
        }
    EXPECT_GT(taken, 80U);
    EXPECT_GT(refused, 150U);
}

TEST_F(ImagePolicies, MistakesAreMistakesForThePeerToo) {
    for (const std::string policy :
         {"root", "root=open:*", "*:root=open", "root=open:", ":root=open", "foo=open", "Root=open",
          "root=foo", "root=open+", "root=+open", "root==open", "root=verity:root=signed", "=open:=absent",
          "root=open,usr=open"}) {
        EXPECT_NE(run({"systemd-dissect", "--validate", "--image-policy=" + policy, full.path()}).status, 0)
            << policy;
        const Outcome outcome =
            run({"berth", "run", "-q", "-P", "-x", "-i", full.path(), "--image-policy=" + policy, "true"});
        EXPECT_EQ(outcome.status, 1) << policy;
        EXPECT_THAT(outcome.err, HasSubstr("berth run: --image-policy=" + policy + ": "));
        EXPECT_EQ(run({image_program(), "dissect", "--image-policy=" + policy, full.path()}).status, 1);
    }
}

TEST_F(ImagePolicies, WhatIsRefusedIsNamed) {
    struct Case {
        const Image &image;
        const char *policy;
        const char *said;
    };
    for (const Case &one : {
             Case{full, "root=open:home=absent",
                  "partition 3 of full.img (home) is there, which the image policy "
                  "\"root=open:home=absent\" does not allow"},
             {full, "root=open:var=encrypted",
              "full.img has no partition for var, which the image policy "
              "\"root=open:var=encrypted\" demands"},
             {full, "root=verity+signed",
              "partition 1 of full.img (root) is not protected, but the image policy "
              "\"root=verity+signed\" wants it to be verity or signed"},
             {full, "root=open:home=encrypted",
              "(home) is not protected, but the image policy "
              "\"root=open:home=encrypted\" wants it to be encrypted"},
             {secret, "root=open:home=unprotected", "partition 2 of secret.img (home) is encrypted, but"},
             {hashed, "root=encrypted", "partition 1 of hashed.img (root) is not protected, but"},
             {full, "root=read-only-on",
              "partition 1 of full.img (root) does not have the read-only flag, which"},
             {marked, "root=growfs-off", "partition 1 of marked.img (root) has the growfs flag, which"},
             {full, "root=unused", "partition 1 of full.img (root) is the root, which the image policy"},
             {plain, "-", "plain.img is the root, which the image policy \"-\" does not let be used"},
             {plain, "root=encrypted", "plain.img is not protected, but the image policy"},
             {full, "swap=absent:=open", "partition 5 of full.img (swap) is there"},
             // allowed, but nothing that berth can do
             {hashed, "root=signed", "is protected by dm-verity (see partition 2), which berth cannot check"},
             {secret, "root=open:home=encrypted",
              "partition 2 of secret.img (home) is encrypted with LUKS, which berth does not open"},
         }) {
        const Outcome outcome = run({"berth", "run", "-q", "-P", "-x", "-i", one.image.path(),
                                     std::string("--image-policy=") + one.policy, "true"});
        EXPECT_EQ(outcome.status, 1);
        std::string said(one.said);
        if (const std::size_t at = said.find(one.image.path().substr(one.image.path().rfind('/') + 1));
            at != std::string::npos)
            said.insert(at, one.image.path().substr(0, one.image.path().rfind('/') + 1));
        EXPECT_THAT(outcome.err, HasSubstr(said)) << one.policy;
    }
}

TEST_F(ImagePolicies, WhatIsNotUsedIsNotMounted) {
    const auto mounts = [](const Image &image, const std::string &policy) {
        return summary(image::attach(image.path(), true, policy));
    };
    using testing::ElementsAre;
    EXPECT_THAT(mounts(full, "esp=unused:=open"), ElementsAre("root / ro", "usr /usr ro", "home /home ro"));
    EXPECT_THAT(mounts(full, "root=unprotected:home=open"), ElementsAre("root / ro", "home /home ro"));
    EXPECT_THAT(mounts(full, "home=unused:esp=unused:=open"), ElementsAre("root / ro", "usr /usr ro"));
    EXPECT_THAT(mounts(full, "root=open"), ElementsAre("root / ro"));
    EXPECT_THAT(mounts(secret, "root=open"), ElementsAre("root / ro")) << "nobody needs what is encrypted";
    EXPECT_THAT(mounts(hashed, "root=unprotected"), ElementsAre("root / ro")) << "nobody wants it checked";
}

TEST_F(ImagePolicies, MachinesHaveWhatThePolicyAllows) {
    const SmallTree tree;
    fs::create_directories(tree / "home");
    Image image(folder_, "machine.img", 64);
    image.table("gpt", part(1, 24, type_root) + part(25, 8, type_home)).ext4(25, 8);
    succeed({"mkfs.ext4", "-q", "-F", "-d", tree.path(), "-E", "offset=1048576", image.path(), "24M"});
    const auto homes = [&](const Words &options) {
        Words words{"-x", "-P", "-i", image.path()};
        words.insert(words.end(), options.begin(), options.end());
        return succeed(run_words("policed", words, {"sh", "-c", "ls /home"}));
    };
    EXPECT_THAT(homes({}), HasSubstr("etc"));
    EXPECT_THAT(homes({"--image-policy=*"}), HasSubstr("etc"));
    EXPECT_EQ(homes({"--image-policy=root=unprotected"}), "");
    EXPECT_THAT(homes({"--image-policy=~", "--image-policy=root=open:home=open"}), HasSubstr("etc"))
        << "the last one counts";

    fs::create_directories("/run/berth");
    const HostFile file("/run/berth/policed.toml", "[root]\nimage_policy = \"root=open:home=unused\"\n");
    EXPECT_EQ(homes({}), "");
    EXPECT_THAT(homes({"--image-policy=*"}), HasSubstr("etc")) << "the command line wins";
    const HostFile broken("/run/berth/policed.toml", "[root]\nimage_policy = \"root=unchecked\"\n");
    EXPECT_THAT(run(run_words("policed", {"-x", "-i", image.path()}, {"true"})).err,
                AllOf(HasSubstr("/run/berth/policed.toml:2:"), HasSubstr("\"unchecked\" is not verity")));
}
