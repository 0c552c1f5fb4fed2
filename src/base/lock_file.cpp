// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/lock_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/same_file.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

/// False, with errno, when it did not work. `type` as in fcntl(2): F_RDLCK, F_WRLCK, F_UNLCK.
bool set_lock(int fd, int type) noexcept {
    struct flock whole{};
    whole.l_type = static_cast<short>(type);
    whole.l_whence = SEEK_SET;
    return ::fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

/// Not by O_CREAT alone: the kernel refuses that for files of others in sticky folders.
unique_fd open_or_make(int folder, const std::string &name) {
    constexpr int flags = O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    for (;;) {
        unique_fd fd(::openat(folder, name.c_str(), flags));
        if (fd || errno != ENOENT)
            return fd;
        fd.reset(::openat(folder, name.c_str(), flags | O_CREAT | O_EXCL, 0600));
        if (fd || errno != EEXIST)
            return fd;
    }
}

unique_fd open_folder(const fs::path &path) {
    const fs::path folder = path.parent_path();
    return unique_fd(::open(folder.empty() ? "." : folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/// True while the file has a name. Names are taken away only by who holds the lock alone, so with
/// the lock held this does not change.
bool has_name(int fd) {
    struct stat st{};
    if (::fstat(fd, &st) < 0)
        fail_errno("looking at a lock");
    return st.st_nlink > 0;
}

} // namespace

LockFile::LockFile(std::string path, unique_fd fd, Mode mode)
    : path_(std::move(path)), folder_(open_folder(path_)), fd_(std::move(fd)), mode_(mode) {
}

std::optional<LockFile> LockFile::try_take(const std::string &path, Mode mode) {
    unique_fd folder = open_folder(path);
    if (!folder)
        fail_errno("opening the folder of the lock {}", path);
    for (;;) {
        unique_fd fd = open_or_make(folder.get(), fs::path(path).filename());
        if (!fd)
            fail_errno("opening the lock {}", path);
        const bool locked = set_lock(fd.get(), mode == Mode::shared ? F_RDLCK : F_WRLCK);
        if (!locked && errno != EAGAIN && errno != EACCES)
            fail_errno("locking {}", path);
        if (!locked)
            return std::nullopt;
        if (has_name(fd.get()))
            return LockFile(path, std::move(folder), std::move(fd), mode);
        // Its last holder removed it meanwhile: another file is the lock now.
    }
}

LockFile &LockFile::operator=(LockFile &&other) noexcept {
    if (this != &other) {
        release();
        path_ = std::move(other.path_);
        folder_ = std::move(other.folder_);
        fd_ = std::move(other.fd_);
        mode_ = other.mode_;
    }
    return *this;
}

void LockFile::release() noexcept {
    if (!fd_)
        return;
    // Of several who let go at once, the last finds the lock free: so one of them removes the file.
    const bool alone =
        mode_ == Mode::exclusive || (set_lock(fd_.get(), F_UNLCK) && set_lock(fd_.get(), F_WRLCK));
    struct stat ours{};
    struct stat there{};
    const std::string name = fs::path(path_).filename();
    const bool is_it = ::fstat(fd_.get(), &ours) == 0
                       && ::fstatat(folder_.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0
                       && is_same_file(ours, there);
    if (alone && is_it)
        ::unlinkat(folder_.get(), name.c_str(), 0);
    // Copies of the descriptor may live a little longer, in a process that is about to exec.
    set_lock(fd_.get(), F_UNLCK);
    fd_.reset();
}

void remove_stale_locks(const std::string &folder) noexcept {
    try {
        for (const fs::directory_entry &entry : fs::directory_iterator(folder)) {
            const std::string &path = entry.path().native();
            const unique_fd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
            if (fd && set_lock(fd.get(), F_WRLCK) && has_name(fd.get()))
                ::unlink(path.c_str());
        }
    } catch (const std::exception &) { // NOLINT(bugprone-empty-catch): what stays harms nobody
    }
}

} // namespace berth
