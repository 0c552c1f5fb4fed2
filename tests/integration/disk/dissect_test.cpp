// SPDX-License-Identifier: LGPL-2.1-or-later
// What berth-image tells: people, programs, and the launcher.
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "support/images.hpp"

using namespace berth;
using namespace berth::test;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class ImageDissect : public ImageTest {};

} // namespace

TEST_F(ImageDissect, MessagesAreAsDocumented) {
    const Image image = full_image(folder_);
    Attachment attachment(image.path());
    auto all = attachment.receive_all();
    ASSERT_GE(all.size(), 4U);
    EXPECT_EQ(attachment.process().wait(), 0);
    EXPECT_EQ(all.back().message, json({{"end", true}}));
    EXPECT_FALSE(all.back().fd);
    all.pop_back();
    const json disk = dissection(image.path());
    for (std::size_t i = 0; i < all.size(); ++i) {
        const json &partition = disk["partitions"][i];
        const json &message = all[i].message;
        EXPECT_TRUE(all[i].fd);
        EXPECT_EQ(message["designator"], partition["designator"]);
        EXPECT_EQ(message["path"], partition["used_as"]);
        EXPECT_EQ(message["read_only"], partition["read_only"]);
        EXPECT_EQ(message["filesystem"], partition["filesystem"]);
        EXPECT_EQ(message["uuid"], partition["uuid"]);
        EXPECT_EQ(message["label"], partition["label"].is_null() ? "" : partition["label"]);
        EXPECT_EQ(message.size(), 6U);
    }
}

TEST_F(ImageDissect, DissectTellsWhatWasMade) {
    const Image image = full_image(folder_);
    const json made = json::parse(succeed({"sfdisk", "--json", image.path()}))["partitiontable"];
    const json seen = dissection(image.path());
    const auto lower = [](std::string text) {
        for (char &c : text)
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        return text;
    };
    EXPECT_EQ(seen["image"], image.path());
    EXPECT_EQ(seen["table"], "gpt");
    EXPECT_EQ(seen["uuid"], lower(made["id"]));
    EXPECT_EQ(seen["size"], 64 * mib);
    EXPECT_EQ(seen["problem"], nullptr);
    ASSERT_EQ(seen["partitions"].size(), made["partitions"].size());
    for (std::size_t i = 0; i < made["partitions"].size(); ++i) {
        const json &is = seen["partitions"][i];
        const json &was = made["partitions"][i];
        EXPECT_EQ(is["number"], i + 1);
        EXPECT_EQ(is["type"], lower(was["type"]));
        EXPECT_EQ(is["uuid"], lower(was["uuid"]));
        EXPECT_EQ(is["offset"], was["start"].get<std::uint64_t>() * 512);
        EXPECT_EQ(is["size"], was["size"].get<std::uint64_t>() * 512);
        EXPECT_EQ(is["label"], was.value("name", json()));
    }
    const auto column = [&seen](const char *key) {
        json values = json::array();
        for (const json &partition : seen["partitions"])
            values.push_back(partition[key]);
        return values;
    };
    EXPECT_EQ(column("designator"), json({"root", "usr", "home", "esp", "swap"}));
    EXPECT_EQ(column("filesystem"), json({"ext4", "ext4", "ext4", "vfat", nullptr}));
    EXPECT_EQ(column("used_as"), json({"/", "/usr", "/home", "/efi", nullptr}));
    EXPECT_EQ(column("read_only"), json({false, true, false, false, false}));
}

TEST_F(ImageDissect, DissectIsForPeopleToo) {
    const Image image = full_image(folder_);
    const std::string text = succeed({image_program(), "dissect", image.path()});
    EXPECT_THAT(text, AllOf(HasSubstr("64.0M, GPT"), HasSubstr("DESIGNATOR"), HasSubstr("os_1"),
                            HasSubstr("/usr (read-only)"), HasSubstr("swap")));
    EXPECT_THAT(text, Not(HasSubstr("Problem")));
}

TEST_F(ImageDissect, DissectNeedsNoRights) {
    Image image(folder_);
    image.ext4(0, 48, {"-L", "mine"});
    fs::permissions(image.path(), fs::perms{0644});
    const json seen =
        json::parse(succeed({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                             image_program(), "dissect", "--json", image.path()}));
    EXPECT_EQ(seen["partitions"][0]["label"], "mine");
}

TEST_F(ImageDissect, DissectShowsWhatNoMachineCanHave) {
    Image image(folder_);
    image.table("gpt", part(1, 16, type_root) + part(17, 8, type_home)).ext4(1, 16).bytes(17 * mib, luks);
    const json seen = dissection(image.path());
    EXPECT_THAT(seen["problem"].get<std::string>(), HasSubstr("(home) is encrypted"));
    EXPECT_EQ(seen["partitions"][0]["problem"], nullptr);
    EXPECT_EQ(seen["partitions"][1]["problem"], seen["problem"]);
    EXPECT_THAT(succeed({image_program(), "dissect", image.path()}), HasSubstr("Problem: partition 2"));
}

TEST_F(ImageDissect, LabelsDoNotSteerTheTerminal) {
    Image image(folder_);
    image.ext4(0, 48, {"-L", "\x1b[2J\x07\xff"});
    const std::string text = succeed({image_program(), "dissect", image.path()});
    EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\x07"))));
    EXPECT_THAT(dissection(image.path())["partitions"][0]["label"].get<std::string>(),
                HasSubstr("\x1b[2J\x07"));
    Attachment attachment(image.path());
    const auto received = attachment.receive_all();
    ASSERT_EQ(received.size(), 2U);
    EXPECT_THAT(received[0].message["label"].get<std::string>(), HasSubstr("\x1b[2J"));
}

TEST_F(ImageDissect, ErrorsAreOneSentence) {
    const auto says = [](const Words &words) {
        Words all{image_program()};
        all.insert(all.end(), words.begin(), words.end());
        const Outcome outcome = run(all);
        EXPECT_EQ(outcome.status, 1);
        EXPECT_EQ(outcome.out, "");
        EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
        return outcome.err;
    };
    const std::string none = folder_ / "none";
    EXPECT_THAT(says({"dissect", none}),
                HasSubstr("opening the image " + none + ": No such file or directory"));
    EXPECT_THAT(says({"dissect", folder_.path()}), HasSubstr("is a directory, not a disk image"));
    EXPECT_THAT(says({"dissect", "/dev/null"}), HasSubstr("neither a file nor a block device"));
    const std::string fifo = folder_ / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_THAT(says({"dissect", fifo}), HasSubstr("neither a file nor a block device"));
    EXPECT_THAT(says({"dissect", folder_.write("empty", "")}), HasSubstr("is empty"));
    EXPECT_THAT(says({"dissect", folder_.write("text", std::string(5000, 'x'))}),
                HasSubstr("qemu-img convert"));
    EXPECT_THAT(says({"attach", "--socket=0", none}), HasSubstr("descriptor 0"));
    EXPECT_THAT(says({"attach", "--socket=x", none}), HasSubstr("that is no descriptor"));
    EXPECT_THAT(says({"attach"}), HasSubstr("a verb and an image are needed"));
    EXPECT_THAT(says({"detach", none}), HasSubstr("there is no verb detach"));
    EXPECT_THAT(says({"dissect", "--frob", none}), HasSubstr("--frob is no option"));
}
