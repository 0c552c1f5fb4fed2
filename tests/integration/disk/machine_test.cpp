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

TEST_F(ImageMachine, IsFoundByItsName) {
    const fs::path image = "/var/lib/machines/named-image.raw";
    fs::create_directories(image.parent_path());
    fs::copy_file(image_.path(), image);
    const Words words{"berth", "run", "-q", "-P", "-M", "named-image"};
    const auto with = [&](Words more) {
        more.insert(more.begin(), words.begin(), words.end());
        more.insert(more.end(), {"sh", "-c", "cat /home/etc/hostname; touch /written && echo written"});
        return run(more);
    };
    EXPECT_EQ(with({}).out, "disk.img\nwritten\n");
    fs::permissions(image, fs::perms::owner_read);
    const Outcome locked = with({});
    EXPECT_EQ(locked.out, "disk.img\n") << "nobody may write to it";
    EXPECT_THAT(locked.err, testing::HasSubstr("Read-only file system"));
    fs::permissions(image, fs::perms::owner_read | fs::perms::owner_write);
    {
        Service service("named-image",
                        "[exec]\nboot = false\nparameters = [\"sleep\", \"1000\"]\nnotify_ready = "
                        "false\n[network]\nprivate = true\n");
        service.start();
        EXPECT_EQ(service.exec({"cat", "/home/etc/hostname"}), "disk.img");
    }
    fs::remove(image);
}

TEST_F(ImageMachine, BelongsToTheUsersThatItsFilesHave) {
    // Whoever owns the image's file is of no matter.
    succeed({"chown", "131072:131072", image_.path()});
    const std::string map = "awk '{print $2}' /proc/self/uid_map; stat -c %u /home/etc";
    EXPECT_EQ(succeed(words({"-x", "--private-users=yes"}, map)), "0\n0");
    {
        const Folder mounted;
        succeed({"mount", "-o", "loop,offset=1048576,sizelimit=25165824", image_.path(), mounted.path()});
        succeed({"sh", "-c", "chown -Rh 655360:655360 " + mounted.path().native()});
        succeed({"umount", mounted.path()});
    }
    EXPECT_EQ(
        succeed(words({"-x", "--private-users=yes"}, "awk '{print $2}' /proc/self/uid_map; stat -c %u /etc")),
        "655360\n0");
    const Outcome refused = run(words({"-U", "--private-users-ownership=chown"}, "true"));
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, testing::HasSubstr("the files of an image keep their owners; use map"));
}

TEST_F(ImageMachine, HasThemAfterARebootToo) {
    Machine machine("parted", {"-x", "-i", image_.path(), "--boot"}, {"ready"});
    machine.exec({"sh", "-c", "echo mine > /home/new"});
    berth_succeeds({"reboot", "parted"});
    machine.launcher().wait_for("test init is up");
    EXPECT_EQ(machine.exec({"cat", "/boots", "/home/new", "/home/etc/hostname"}),
              "boot\nboot\nmine\ndisk.img");
}
