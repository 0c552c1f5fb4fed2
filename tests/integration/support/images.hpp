// SPDX-License-Identifier: LGPL-2.1-or-later
// Disk images for tests, and what attaching them gives.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "root/image.hpp"
#include "support/host_test.hpp"
#include "support/trees.hpp"

namespace berth::test {

inline constexpr std::uint64_t mib = 1024UL * 1024;

// Types of partitions, here and on any architecture.
#if defined(__x86_64__)
inline constexpr const char *type_root = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
inline constexpr const char *type_usr = "8484680c-9521-48c6-9c11-b0720656f69e";
inline constexpr const char *type_root_verity = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5";
inline constexpr const char *type_root_verity_sig = "41092b05-9fc8-4523-994f-2def0408b176";
#elif defined(__aarch64__)
inline constexpr const char *type_root = "b921b045-1df0-41c3-af44-4c6f280d3fae";
inline constexpr const char *type_usr = "b0e01050-ee5f-4390-949a-9101b17104e9";
inline constexpr const char *type_root_verity = "df3300ce-d69f-4c92-978c-9bfb0f38d820";
inline constexpr const char *type_root_verity_sig = "6db69de6-29f4-4758-a7a5-962190f00ce3";
#endif
inline constexpr const char *type_home = "933ac7e1-2eb4-4f13-b844-0e14e2aef915";
inline constexpr const char *type_esp = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
inline constexpr const char *type_xbootldr = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
inline constexpr const char *type_generic = "0fc63daf-8483-4772-8e79-3d69d8477de4";
inline constexpr const char *type_swap = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f";

/// A LUKS2 header as far as it takes to be taken for one.
inline constexpr std::string_view luks("LUKS\xba\xbe\x00\x02\x00\x00\x00\x00\x00\x00\x40\x00", 16);

/// A line of sfdisk(8)'s script for a partition.
[[nodiscard]] std::string part(std::uint64_t start_mib, std::uint64_t size_mib, const std::string &type,
                               const std::string &more = "");

/// An image being made, with a tree to fill filesystems from: some empty folders, and
/// /etc/hostname with the image's name.
class Image {
public:
    explicit Image(const Folder &folder, const std::string &name = "disk.img", std::uint64_t size_mib = 48);

    /// Partitions it: "gpt" or "dos".
    Image &table(const std::string &label, const std::string &lines);
    Image &ext4(std::uint64_t start_mib, std::uint64_t size_mib, const Words &more = {});
    Image &vfat(std::uint64_t start_mib, std::uint64_t size_mib);
    /// The image becomes one.
    Image &squashfs();
    Image &bytes(std::uint64_t at, std::string_view text);

    [[nodiscard]] std::string path() const { return path_; }
    [[nodiscard]] const std::filesystem::path &tree() const { return tree_; }
    [[nodiscard]] std::string hash() const { return succeed({"sha256sum", path_}); }

private:
    std::filesystem::path path_;
    std::filesystem::path tree_;
};

/// Root, /usr for reading, /home, an EFI system partition, and swap.
[[nodiscard]] Image full_image(const Folder &folder, const std::string &name = "disk.img");

/// A loop device of an image, as an administrator makes one.
class LoopDevice {
public:
    explicit LoopDevice(const std::string &image);
    ~LoopDevice();
    LoopDevice(const LoopDevice &) = delete;
    LoopDevice &operator=(const LoopDevice &) = delete;

    [[nodiscard]] const std::filesystem::path &path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// A folder for images, of which no loop device may be left.
class ImageTest : public HostTest {
protected:
    void TearDown() override;

    /// The loop devices whose image is in our folder.
    [[nodiscard]] std::vector<std::string> loops() const;
    /// Waits until there are none.
    [[nodiscard]] bool loops_go() const;

    Folder folder_;
};

/// The path of berth-image.
[[nodiscard]] std::string image_program();

/// What its `dissect` tells.
[[nodiscard]] nlohmann::json dissection(const std::string &path);

/// The path of what a descriptor shows.
[[nodiscard]] std::filesystem::path path_of(int fd);

/// "root / rw" for each.
[[nodiscard]] std::vector<std::string> summary(const std::vector<image::Mount> &mounts);

/// What image::attach() throws, which it must.
[[nodiscard]] std::string error_of_attach(const std::string &path, bool read_only = false);

/// The errno of writing to a file in it; 0 when that works.
[[nodiscard]] int write_error(const image::Mount &mount, const std::string &file);

[[nodiscard]] bool kernel_has(const std::string &filesystem);

/// `berth-image attach` with a socket of ours, by hand.
class Attachment {
public:
    struct Received {
        nlohmann::json message;
        unique_fd fd;
    };

    /// `before`: the words of a command that runs the program.
    explicit Attachment(const std::string &image, Words before = {});

    /// All messages until the other end is closed.
    std::vector<Received> receive_all();

    [[nodiscard]] Process &process() { return *process_; }

private:
    std::optional<Received> receive();

    unique_fd ours_;
    std::optional<Process> process_;
};

} // namespace berth::test
