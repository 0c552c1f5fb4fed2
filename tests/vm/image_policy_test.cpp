// SPDX-License-Identifier: LGPL-2.1-or-later
// Image policies, beside systemd-nspawn: the same images run, with the same partitions. It opens
// images only where there is an udev, which the virtual machine has.
#include <filesystem>
#include <string>

#include "../integration/support/images.hpp"
#include "support/machine.hpp"

using namespace berth::test;
namespace fs = std::filesystem;

namespace {

/// A small tree as root, a /home and a swap partition.
class NspawnImages : public ImageTest {
protected:
    NspawnImages() {
        fs::create_directories(tree_ / "home");
        image_.table("gpt", part(1, 24, type_root) + part(25, 8, type_home) + part(33, 8, type_swap))
            .ext4(25, 8);
        succeed({"mkfs.ext4", "-q", "-F", "-d", tree_.path(), "-E", "offset=1048576", image_.path(), "24M"});
    }

    /// What is in /home; "refused" when there was no machine.
    [[nodiscard]] std::string home(const Words &program, const std::string &policy) const {
        Words words = program;
        if (policy != "default")
            words.push_back("--image-policy=" + policy);
        words.insert(words.end(), {"--image=" + image_.path(), "--quiet", "--read-only", "--pipe",
                                   "--register=no", "--machine=policed", "/usr/bin/busybox", "sh", "-c",
                                   "echo home: $(/usr/bin/busybox ls /home)"});
        const Outcome outcome = run(words);
        return outcome.status == 0 ? outcome.out : "refused";
    }

    SmallTree tree_;
    Image image_ = Image(folder_, "disk.img");
};

} // namespace

TEST_F(NspawnImages, RunUnderTheSamePolicies) {
    unsigned refused = 0;
    for (const std::string policy :
         {"default", "*", "-", "~", "root=unprotected", "root=open:home=open", "root=open:home=absent",
          "root=open:home=unused", "root=open:home=encrypted", "root=verity", "root=read-only-on",
          "root=read-only-off+growfs-off:=open", "root=open:swap=absent", "root=open:=unprotected+absent",
          "root=open:var=unprotected", "root", "root=open:*"}) {
        const std::string ours = home({"berth", "run"}, policy);
        EXPECT_EQ(ours, home({"systemd-nspawn"}, policy)) << policy;
        refused += ours == "refused" ? 1 : 0;
    }
    EXPECT_EQ(refused, 10U);
}
