// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/work_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/host_path.hpp"
#include "base/io.hpp"
#include "base/same_file.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

/// True when `name` still names the folder behind `fd`.
bool is_at(int fd, int parent, const std::string &name) {
    struct stat there{};
    struct stat ours{};
    return ::fstat(fd, &ours) == 0 && ::fstatat(parent, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0
           && is_same_file(there, ours);
}

} // namespace

std::string work_folder_of(const std::string &upper) {
    const fs::path path(upper);
    return (path.parent_path() / (".#" + path.filename().native() + ".berth-work")).native();
}

WorkFolder::WorkFolder(const std::string &upper) {
    const fs::path path = work_folder_of(upper);
    name_ = path.filename();
    parent_ = host_path::open(path.parent_path(), O_RDONLY | O_DIRECTORY);
    for (;;) {
        if (::mkdirat(parent_.get(), name_.c_str(), 0700) < 0 && errno != EEXIST)
            fail_errno("creating the directory {}", path.native());
        unique_fd folder(
            ::openat(parent_.get(), name_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!folder && errno == ENOENT)
            continue; // its last owner removed it meanwhile
        if (!folder)
            fail_errno("opening the directory {}", path.native());
        // Overlayfs does in it what it likes, with our rights: it is nobody else's.
        host_path::require_roots(folder.get(), path.native());
        if (::flock(folder.get(), LOCK_EX | LOCK_NB) < 0) {
            if (errno == EWOULDBLOCK)
                throw Error(berth::format("{} is in use by another machine that writes to it", upper), EBUSY);
            fail_errno("locking {}", path.native());
        }
        if (!is_at(folder.get(), parent_.get(), name_))
            continue;
        lock_ = std::move(folder);
        return;
    }
}

WorkFolder::~WorkFolder() {
    if (!lock_ || !is_at(lock_.get(), parent_.get(), name_))
        return;
    std::error_code ignored;
    for (const auto &entry : fs::directory_iterator(descriptor_path(lock_.get()), ignored))
        fs::remove_all(entry.path(), ignored);
    // What somebody has put in its place meanwhile stays, unless it is as empty.
    (void)::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
}

} // namespace berth
