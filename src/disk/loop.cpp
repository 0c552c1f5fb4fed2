// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/loop.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>

#include <sched.h>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "kernel/mounts.hpp"

namespace berth::disk {

namespace {

// Documentation/admin-guide/devices.txt
constexpr unsigned loop_major = 7;
constexpr unsigned misc_major = 10;
constexpr unsigned loop_control_minor = 237;

/// Others look for free loop devices, too: so often somebody else may be the first.
constexpr int max_tries = 64;

/// A tmpfs in place of /dev, which only this process sees.
void make_own_dev() {
    if (::unshare(CLONE_NEWNS) < 0)
        fail_errno("creating a mount namespace for device nodes");
    if (::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) < 0)
        fail_errno("cutting our mounts off from the host's");
    const unique_fd dev(::open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dev)
        fail_errno("opening /dev");
    const unique_fd tmpfs =
        mounts::new_filesystem("tmpfs", {{"source", "tmpfs"}, {"mode", "0700"}, {"size", "1m"}},
                               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    mounts::attach(tmpfs.get(), dev.get(), "a /dev of our own");
}

/// Opens the node `path` if it is the device `number`, of kind S_IFBLK or S_IFCHR.
unique_fd open_if_right(const std::string &path, mode_t kind, dev_t number) {
    unique_fd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat st{};
    if (fd && (::fstat(fd.get(), &st) < 0 || (st.st_mode & S_IFMT) != kind || st.st_rdev != number)) {
        fd.reset();
        errno = ENOENT;
    }
    return fd;
}

/// The device number of loop device `number`; nothing when it has gone again.
std::optional<dev_t> device_number(int number) {
    const auto text = read_file_if_there(berth::format("/sys/block/loop{}/dev", number));
    if (!text)
        return std::nullopt;
    const auto parts = split(trim(*text), ':');
    const auto minor_number = parts.size() == 2 ? parse_unsigned(parts[1]) : std::nullopt;
    if (!minor_number || parts[0] != std::to_string(loop_major))
        fail("the kernel says that loop{} is the device {}, which is none", number, trim(*text));
    return ::makedev(loop_major, static_cast<unsigned>(*minor_number));
}

loop_config config_of(const ImageFile &image, std::uint64_t offset, std::uint64_t size, bool read_only) {
    loop_config config{};
    config.fd = static_cast<__u32>(image.fd.get());
    config.block_size = 512; // any filesystem can be mounted from that
    config.info.lo_offset = offset;
    config.info.lo_sizelimit = size;
    // The kernel leaves direct I/O off where the file or the offset does not allow it.
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO | (read_only ? LO_FLAGS_READ_ONLY : 0);
    const std::string name = std::filesystem::path(image.name).filename();
    std::memcpy(config.info.lo_file_name, name.data(), std::min<std::size_t>(name.size(), LO_NAME_SIZE - 1));
    return config;
}

/// False, with errno, when it did not work.
bool configure(int loop, loop_config config) {
    if (::ioctl(loop, LOOP_CONFIGURE, &config) == 0)
        return true;
    if (errno != EINVAL)
        return false;
    config.info.lo_flags &= ~static_cast<__u32>(LO_FLAGS_DIRECT_IO);
    return ::ioctl(loop, LOOP_CONFIGURE, &config) == 0;
}

/// True for what happens when somebody else took the device or removed it.
bool was_late(int code) {
    return code == EBUSY || code == ENXIO || code == ENODEV || code == ENOENT || code == EAGAIN;
}

} // namespace

Loops::Loops(const ImageFile &image) : image_(image) {
    control_ = open_node("/dev/loop-control", S_IFCHR, ::makedev(misc_major, loop_control_minor));
    if (!control_)
        fail_errno("opening /dev/loop-control (is the kernel's loop module there?)");
}

/// Opens a device node, which is made first where it is missing. Empty, with errno, on failure.
unique_fd Loops::open_node(const std::string &path, mode_t kind, dev_t number) {
    unique_fd fd = open_if_right(path, kind, number);
    if (fd || errno != ENOENT)
        return fd;
    if (!own_dev_)
        make_own_dev();
    own_dev_ = true;
    if (::mknod(path.c_str(), kind | 0600, number) < 0 && errno != EEXIST)
        fail_errno("creating a node for {}", path);
    return open_if_right(path, kind, number);
}

/// Nothing when somebody else was faster.
std::optional<Loop> Loops::try_make(std::uint64_t offset, std::uint64_t size, bool read_only) {
    const int number = ::ioctl(control_.get(), LOOP_CTL_GET_FREE);
    if (number < 0)
        fail_errno("asking for a free loop device");
    const auto device = device_number(number);
    if (!device)
        return std::nullopt;
    Loop loop{.fd = {}, .path = berth::format("/dev/loop{}", number)};
    loop.fd = open_node(loop.path, S_IFBLK, *device);
    if (loop.fd && configure(loop.fd.get(), config_of(image_, offset, size, read_only)))
        return loop;
    if (!was_late(errno))
        fail_errno("{} {}", loop.fd ? "setting up" : "opening", loop.path);
    return std::nullopt;
}

Loop Loops::make(std::uint64_t offset, std::uint64_t size, bool read_only) {
    for (int tries = 0; tries < max_tries; ++tries) {
        if (auto loop = try_make(offset, size, read_only))
            return std::move(*loop);
        // Apart from those who were late together with us.
        std::this_thread::sleep_for(std::chrono::microseconds(500 + (::getpid() * 31 + tries * 17) % 2000));
    }
    fail_code(EBUSY, "getting a loop device for {}: others took each free one before us", image_.name);
}

} // namespace berth::disk
