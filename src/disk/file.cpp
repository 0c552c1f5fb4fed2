// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/file.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/io.hpp"

namespace berth::disk {

namespace {

[[noreturn]] void fail_open(const std::string &path, bool read_only) {
    const int code = errno;
    if (code == EBUSY)
        fail_code(code, "{} is mounted or otherwise in use on this host", path);
    const bool refused = code == EROFS || code == EACCES || code == EPERM || code == ETXTBSY;
    if (refused && !read_only)
        fail_code(code, "opening the image {} for writing (--read-only does without)", path);
    fail_code(code, "opening the image {}", path);
}

void measure(ImageFile &image, const struct stat &st) {
    if (!image.is_device) {
        image.size = static_cast<std::uint64_t>(st.st_size);
        return;
    }
    int sector = 0;
    if (::ioctl(image.fd.get(), BLKGETSIZE64, &image.size) < 0
        || ::ioctl(image.fd.get(), BLKSSZGET, &sector) < 0)
        fail_errno("asking for the size of {}", image.name);
    image.sector_size = static_cast<unsigned>(sector);
}

} // namespace

ImageFile open_image(const std::string &path, bool read_only) {
    ImageFile image{.fd = {}, .name = path, .read_only = read_only};
    // What a path turns out to be may do things when it is opened; O_PATH does not.
    const unique_fd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat st{};
    if (!place || ::fstat(place.get(), &st) < 0)
        fail_open(path, true);
    image.is_device = S_ISBLK(st.st_mode);
    if (S_ISDIR(st.st_mode))
        fail("{} is a directory, not a disk image", path);
    if (!S_ISREG(st.st_mode) && !image.is_device)
        fail("{} is neither a file nor a block device, so it is no disk image", path);
    // O_EXCL claims a device against mounts and other claims.
    const int flags = read_only ? O_RDONLY : O_RDWR | (image.is_device ? O_EXCL : 0);
    image.fd.reset(::open(descriptor_path(place.get()).c_str(), flags | O_NONBLOCK | O_CLOEXEC));
    if (!image.fd)
        fail_open(path, read_only);
    measure(image, st);
    return image;
}

void lock_image(const ImageFile &image) {
    int result = 0;
    if (image.is_device) {
        // flock(2) on a block device would keep udev from it: https://systemd.io/BLOCK_DEVICE_LOCKING
        struct flock lock{};
        lock.l_type = image.read_only ? F_RDLCK : F_WRLCK;
        lock.l_whence = SEEK_SET;
        result = ::fcntl(image.fd.get(), F_OFD_SETLK, &lock);
    } else {
        result = ::flock(image.fd.get(), (image.read_only ? LOCK_SH : LOCK_EX) | LOCK_NB);
    }
    if (result == 0)
        return;
    if (errno != EWOULDBLOCK && errno != EACCES)
        fail_errno("locking the image {}", image.name);
    if (image.read_only)
        throw Error(
            berth::format(
                "the image {} is in use by a machine or program that may write to it: stop that first",
                image.name),
            EBUSY);
    throw Error(
        berth::format(
            "the image {} is in use by another machine or program: stop that first, or let all of them "
            "use it read-only",
            image.name),
        EBUSY);
}

} // namespace berth::disk
