// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/unix_export.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "kernel/mounts.hpp"

namespace berth {

namespace {

constexpr const char *exports = "/run/systemd/nspawn/unix-export";
constexpr const char *source = "berth"; ///< tells our mounts from those of systemd-nspawn

unique_fd open_folder(const std::string &path, int flags) {
    unique_fd folder(::open(path.c_str(), flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder)
        fail_errno("opening {}", path);
    return folder;
}

dev_t device_of(int folder) {
    struct stat st{};
    if (::fstat(folder, &st) < 0)
        fail_errno("looking at {}", exports);
    return st.st_dev;
}

bool lock(int folder) {
    return ::flock(folder, LOCK_EX | LOCK_NB) == 0;
}

/// True when what is mounted there was left by a launcher that was killed.
bool is_left_behind(const std::string &place, int folder) {
    std::string topmost;
    for (const std::string &line : split(read_file("/proc/self/mountinfo"), '\n'))
        if (line.contains(" " + place + " "))
            topmost = line;
    return topmost.contains(std::string(" - tmpfs ") + source + " ") && lock(folder);
}

} // namespace

bool UnixExport::mount(const std::string &name) {
    std::filesystem::create_directories(exports);
    const std::string place = std::string(exports) + "/" + name;
    if (::mkdir(place.c_str(), 0755) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", place);
    if (const unique_fd former = open_folder(place, O_RDONLY);
        device_of(former.get()) != device_of(open_folder(exports, O_PATH).get())) {
        if (!is_left_behind(place, former.get()))
            return false;
        if (::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
            fail_errno("unmounting {}", place);
    }
    const unique_fd made = mounts::new_filesystem(
        "tmpfs", {{"source", source}, {"mode", "0755"}, {"size", "4m"}, {"nr_inodes", "64"}},
        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW);
    mounts::attach(made.get(), open_folder(place, O_PATH).get(), place);
    place_ = place;
    folder_ = open_folder(place, O_RDONLY);
    (void)lock(folder_.get());
    host_.reset(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    if (!host_)
        fail_errno("opening our mount namespace");
    return true;
}

void UnixExport::give(uid_t owner) const {
    if (folder_ && owner != 0 && ::fchown(folder_.get(), owner, owner) < 0)
        fail_errno("setting the owner of {}", place_);
}

unique_fd UnixExport::clone() const {
    if (!folder_)
        return {};
    return mounts::clone_tree(AT_FDCWD, place_.c_str(), false);
}

UnixExport::~UnixExport() {
    if (place_.empty())
        return;
    // Nobody is left to tell; what stays is gone at the next start.
    if (host_)
        (void)::setns(host_.get(), CLONE_NEWNS);
    if (::umount2(place_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        (void)::rmdir(place_.c_str());
}

} // namespace berth
