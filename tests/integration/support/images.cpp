// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/images.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <fstream>

#include "base/error.hpp"
#include "base/io.hpp"
#include "build.hpp"

namespace berth::test {

namespace fs = std::filesystem;
using nlohmann::json;

std::string part(std::uint64_t start_mib, std::uint64_t size_mib, const std::string &type,
                 const std::string &more) {
    return berth::format("start={}, size={}, type={}{}{}\n", start_mib * mib / 512, size_mib * mib / 512,
                         type, more.empty() ? "" : ", ", more);
}

Image::Image(const Folder &folder, const std::string &name, std::uint64_t size_mib)
    : path_(folder / name), tree_(folder / (name + ".tree")) {
    std::ofstream(path_).close();
    fs::resize_file(path_, size_mib * mib);
    for (const char *each : {"etc", "usr", "home", "var", "efi", "boot"})
        fs::create_directories(tree_ / each);
    std::ofstream(tree_ / "etc/hostname") << name << '\n';
}

Image &Image::table(const std::string &label, const std::string &lines) {
    const Outcome done = run({"sfdisk", "--quiet", path_}, "label: " + label + "\n" + lines);
    EXPECT_EQ(done.status, 0) << done.err;
    return *this;
}

Image &Image::ext4(std::uint64_t start_mib, std::uint64_t size_mib, const Words &more) {
    Words words{"mkfs.ext4", "-q", "-F", "-d", tree_, "-E", berth::format("offset={}", start_mib * mib)};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {path_, berth::format("{}M", size_mib)});
    succeed(words);
    return *this;
}

Image &Image::vfat(std::uint64_t start_mib, std::uint64_t size_mib) {
    succeed({"mkfs.vfat", berth::format("--offset={}", start_mib * mib / 512), path_,
             std::to_string(size_mib * 1024)});
    return *this;
}

Image &Image::squashfs() {
    succeed({"mksquashfs", tree_, path_, "-quiet", "-noappend"});
    return *this;
}

Image &Image::bytes(std::uint64_t at, std::string_view text) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    return *this;
}

Image full_image(const Folder &folder, const std::string &name) {
    Image image(folder, name, 64);
    image.table("gpt", part(1, 16, type_root, "name=\"os_1\"") + part(17, 16, type_usr, "attrs=\"GUID:60\"")
                           + part(33, 8, type_home) + part(41, 8, type_esp, "name=\"EFI\"")
                           + part(49, 8, type_swap));
    image.ext4(1, 16).ext4(17, 16).ext4(33, 8).vfat(41, 8);
    return image;
}

LoopDevice::LoopDevice(const std::string &image) : path_(succeed({"losetup", "--find", "--show", image})) {
}

LoopDevice::~LoopDevice() {
    succeed({"losetup", "--detach", path_});
}

void ImageTest::TearDown() {
    EXPECT_TRUE(eventually([this] { return loops().empty(); }, std::chrono::seconds(20)))
        << "left attached: " << testing::PrintToString(loops());
    HostTest::TearDown();
}

std::vector<std::string> ImageTest::loops() const {
    // The path begins at what was mounted when its launcher is gone.
    const std::string name = folder_.path().filename();
    std::vector<std::string> found;
    for (const auto &entry : fs::directory_iterator("/sys/block")) {
        try {
            const auto file = read_file_if_there(entry.path() / "loop/backing_file");
            if (file && file->contains("/" + name + "/"))
                found.push_back(entry.path().filename());
        } catch (const Error &error) {
            if (error.code() != ENODEV) // it went while we looked
                throw;
        }
    }
    return found;
}

bool ImageTest::loops_go() const {
    return eventually([this] { return loops().empty(); });
}

std::string image_program() {
    return std::string(build::libexecdir) + "/berth-image";
}

json dissection(const std::string &path) {
    return json::parse(succeed({image_program(), "dissect", "--json", path}));
}

fs::path path_of(int fd) {
    return berth::format("/proc/self/fd/{}", fd);
}

std::vector<std::string> summary(const std::vector<image::Mount> &mounts) {
    std::vector<std::string> lines;
    for (const image::Mount &mount : mounts)
        lines.push_back(
            berth::format("{} {} {}", mount.designator, mount.path, mount.read_only ? "ro" : "rw"));
    return lines;
}

std::string error_of_attach(const std::string &path, bool read_only) {
    try {
        const auto mounts = image::attach(path, read_only);
        ADD_FAILURE() << "attached " << path << " as " << testing::PrintToString(summary(mounts));
    } catch (const Error &error) {
        return error.what();
    }
    return {};
}

int write_error(const image::Mount &mount, const std::string &file) {
    const unique_fd fd(
        ::open((path_of(mount.mount.get()) / file).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    return fd ? 0 : errno;
}

bool kernel_has(const std::string &filesystem) {
    return read_file("/proc/filesystems").contains("\t" + filesystem + "\n");
}

Attachment::Attachment(const std::string &image, Words before) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
        fail_errno("creating a socket pair");
    ours_.reset(ends[0]);
    const unique_fd theirs(ends[1]);
    if (::fcntl(theirs.get(), F_SETFD, 0) < 0)
        fail_errno("letting a descriptor be inherited");
    before.insert(before.end(),
                  {image_program(), "attach", berth::format("--socket={}", theirs.get()), image});
    process_.emplace(before);
}

std::optional<Attachment::Received> Attachment::receive() {
    std::array<char, 4096> text{};
    alignas(cmsghdr) std::array<unsigned char, CMSG_SPACE(4 * sizeof(int))> control{};
    iovec piece{.iov_base = text.data(), .iov_len = text.size()};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(ours_.get(), &header, MSG_CMSG_CLOEXEC);
    if (n <= 0)
        return std::nullopt;
    Received received{.message = json::parse(std::string_view(text.data(), static_cast<std::size_t>(n))),
                      .fd = {}};
    if (const cmsghdr *rights = CMSG_FIRSTHDR(&header); rights != nullptr) {
        EXPECT_EQ(rights->cmsg_len, CMSG_LEN(sizeof(int))) << "one descriptor each";
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
        received.fd.reset(fd);
    }
    return received;
}

std::vector<Attachment::Received> Attachment::receive_all() {
    std::vector<Received> all;
    while (auto received = receive())
        all.push_back(std::move(*received));
    return all;
}

} // namespace berth::test
