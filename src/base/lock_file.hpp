// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that are nothing but locks, of which other programs take the same (F_OFD_SETLK, fcntl(2)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"

namespace berth {

/// A lock held on a file, which is made for it and goes with its last holder. The kernel lets it go
/// when the last descriptor of it is closed, whatever ends us; then only the file stays, which
/// whoever locks it next removes.
class LockFile {
public:
    enum class Mode : std::uint8_t { shared, exclusive };

    /// Locks the file at `path`, in a folder of the host's. Nothing when somebody else's lock is in
    /// the way. Throws Error for all else, such as EROFS.
    [[nodiscard]] static std::optional<LockFile> try_take(const std::string &path, Mode mode);

    /// Takes over a lock that another process holds by `fd`.
    LockFile(std::string path, unique_fd fd, Mode mode);
    LockFile(LockFile &&) noexcept = default;
    LockFile &operator=(LockFile &&other) noexcept;
    LockFile(const LockFile &) = delete;
    LockFile &operator=(const LockFile &) = delete;
    ~LockFile() { release(); }

    [[nodiscard]] const std::string &path() const noexcept { return path_; }
    [[nodiscard]] Mode mode() const noexcept { return mode_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// Leaves the lock to another process that has got its descriptor.
    void hand_over() noexcept { fd_.reset(); }

private:
    LockFile(std::string path, unique_fd folder, unique_fd fd, Mode mode)
        : path_(std::move(path)), folder_(std::move(folder)), fd_(std::move(fd)), mode_(mode) {}
    void release() noexcept;

    std::string path_;
    unique_fd folder_; ///< the one that it is in, whatever comes to be at the path
    unique_fd fd_;
    Mode mode_;
};

/// Removes the lock files in `folder` that nobody holds: their holders were killed.
void remove_stale_locks(const std::string &folder) noexcept;

} // namespace berth
