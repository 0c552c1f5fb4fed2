// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/host_path.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/same_file.hpp"

namespace berth::host_path {

unique_fd try_open(const std::string &path, int flags) noexcept {
    open_how how{};
    how.flags = static_cast<__u64>(flags) | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    return unique_fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
}

unique_fd open(const std::string &path, int flags) {
    unique_fd fd = try_open(path, flags);
    if (!fd)
        fail_errno("opening {}", path);
    return fd;
}

unique_fd open_again(const std::string &path, int before) {
    unique_fd fd = open(path, O_PATH | O_DIRECTORY);
    struct stat first{};
    struct stat now{};
    if (::fstat(before, &first) < 0 || ::fstat(fd.get(), &now) < 0)
        fail_errno("looking at {}", path);
    if (!is_same_file(first, now))
        fail("{} was replaced while the machine was being made", path);
    return fd;
}

bool is_fixed(const std::string &path) {
    std::filesystem::path so_far;
    bool anyone = false; // may make and remove entries in the folder above
    bool sticky = false;
    for (const std::filesystem::path &part : std::filesystem::path(path)) {
        so_far /= part;
        struct stat st{};
        if (::lstat(so_far.c_str(), &st) < 0 || S_ISLNK(st.st_mode))
            return false;
        if (anyone && !(sticky && st.st_uid == 0))
            return false;
        anyone = st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
        sticky = st.st_uid == 0 && (st.st_mode & S_ISVTX) != 0;
    }
    return true;
}

void require_roots(int fd, const std::string &path) {
    struct stat st{};
    if (::fstat(fd, &st) < 0)
        fail_errno("looking at {}", path);
    if (st.st_uid != 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        fail("{} is there, and not ours: it would have to be root's alone", path);
}

} // namespace berth::host_path
