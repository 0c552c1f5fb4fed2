// SPDX-License-Identifier: LGPL-2.1-or-later
// Machines from images of several partitions.
#include <filesystem>

#include "support/images.hpp"
#include "support/machine.hpp"

using namespace berth::test;
namespace fs = std::filesystem;

namespace {

class ImageMachine : public ImageTest {
protected:
    ImageMachine() {
        fs::create_directories(tree_ / "home");
        image_.table("gpt", part(1, 24, type_root) + part(25, 8, type_home)).ext4(25, 8);
        succeed({"mkfs.ext4", "-q", "-F", "-d", tree_.path(), "-E", "offset=1048576", image_.path(), "24M"});
    }

    [[nodiscard]] Words words(Words options, const std::string &line) const {
        options.insert(options.end(), {"-P", "-i", image_.path()});
        return run_words("parted", options, {"sh", "-c", line});
    }

    SmallTree tree_;
    Image image_ = Image(folder_, "disk.img", 48);
};

} // namespace

TEST_F(ImageMachine, HasThemAllHoweverItIsMade) {
    const std::string hash = image_.hash();
    const std::string read = "cat /home/etc/hostname; stat -c %u /home/etc";
    for (const Words &options :
         {Words{"-x"}, {"-x", "-U"}, {"--volatile=overlay"}, {"--read-only"}, {"--read-only", "-U"}})
        EXPECT_EQ(succeed(words(options, read)), "disk.img\n0") << testing::PrintToString(options);
    for (const Words &options : {Words{"-x"}, {"-x", "-U"}})
        EXPECT_EQ(
            succeed(words(options,
                          "echo mine > /home/new; cat /home/new; rm -r /home/etc; ls /home/etc || true")),
            "mine");
    EXPECT_EQ(image_.hash(), hash) << "nothing of that was written to it";
    for (const Words &options : {Words{}, {"-U"}})
        EXPECT_EQ(succeed(words(options, "cat /home/kept; echo kept > /home/kept; " + read)),
                  options.empty() ? "disk.img\n0" : "kept\ndisk.img\n0");
}

TEST_F(ImageMachine, HasThemAfterARebootToo) {
    Machine machine("parted", {"-x", "-i", image_.path(), "--boot"}, {"ready"});
    machine.exec({"sh", "-c", "echo mine > /home/new"});
    berth_succeeds({"reboot", "parted"});
    machine.launcher().wait_for("test init is up");
    EXPECT_EQ(machine.exec({"cat", "/boots", "/home/new", "/home/etc/hostname"}),
              "boot\nboot\nmine\ndisk.img");
}
