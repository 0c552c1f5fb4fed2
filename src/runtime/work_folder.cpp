// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/work_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/error.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

/// True when `path` still names the folder behind `fd`.
bool is_at(int fd, const std::string &path) {
    struct stat there{};
    struct stat ours{};
    return ::fstat(fd, &ours) == 0 && ::lstat(path.c_str(), &there) == 0 && there.st_dev == ours.st_dev
           && there.st_ino == ours.st_ino;
}

} // namespace

std::string work_folder_of(const std::string &upper) {
    const fs::path path(upper);
    return (path.parent_path() / (".#" + path.filename().native() + ".berth-work")).native();
}

WorkFolder::WorkFolder(const std::string &upper) : path_(work_folder_of(upper)) {
    for (;;) {
        if (::mkdir(path_.c_str(), 0700) < 0 && errno != EEXIST)
            fail_errno("creating the directory {}", path_);
        unique_fd folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!folder && errno == ENOENT)
            continue; // its last owner removed it meanwhile
        if (!folder)
            fail_errno("opening the directory {}", path_);
        if (::flock(folder.get(), LOCK_EX | LOCK_NB) < 0) {
            if (errno == EWOULDBLOCK)
                throw Error(std::format("{} is in use by another machine that writes to it", upper), EBUSY);
            fail_errno("locking {}", path_);
        }
        if (!is_at(folder.get(), path_))
            continue;
        lock_ = std::move(folder);
        return;
    }
}

WorkFolder::~WorkFolder() {
    if (!lock_)
        return;
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

} // namespace berth
