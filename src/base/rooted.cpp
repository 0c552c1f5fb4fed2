// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/rooted.hpp"

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <filesystem>

#include "base/error.hpp"
#include "base/io.hpp"

namespace berth::rooted {

namespace {

unique_fd resolve(int root, std::string_view path, int flags, mode_t mode, __u64 more) noexcept {
    const std::string text(path.empty() ? std::string_view(".") : path);
    open_how how{};
    how.flags = static_cast<__u64>(flags) | O_CLOEXEC | ((flags & O_PATH) != 0 ? 0U : O_NOCTTY);
    how.mode = mode;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more;
    // EAGAIN: a rename or mount raced with the look-up of ".."; openat2(2) says to try again.
    for (int tries = 0;; ++tries) {
        const long fd = ::syscall(SYS_openat2, root, text.c_str(), &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN || tries == 32)
            return unique_fd(static_cast<int>(fd));
    }
}

} // namespace

unique_fd try_open(int root, std::string_view path, int flags, mode_t mode) noexcept {
    return resolve(root, path, flags, mode, 0);
}

unique_fd open_plain(int root, std::string_view path, int flags) {
    unique_fd fd = resolve(root, path, flags, 0, RESOLVE_NO_SYMLINKS);
    if (!fd)
        fail_errno("opening {} in the tree", path);
    return fd;
}

unique_fd open(int root, std::string_view path, int flags, mode_t mode) {
    unique_fd fd = try_open(root, path, flags, mode);
    if (!fd)
        fail_errno("opening {} in the tree", path);
    return fd;
}

unique_fd make_directory(int root, std::string_view path, mode_t mode) {
    if (unique_fd there = try_open(root, path, O_PATH | O_DIRECTORY); there)
        return there;
    if (errno != ENOENT)
        fail_errno("opening the directory {} in the tree", path);
    const std::filesystem::path wanted(path);
    const std::filesystem::path parent = wanted.parent_path();
    const unique_fd above = parent == wanted ? open(root, "/", O_PATH | O_DIRECTORY)
                                             : make_directory(root, parent.native(), mode);
    if (::mkdirat(above.get(), wanted.filename().c_str(), mode) < 0 && errno != EEXIST)
        fail_errno("creating the directory {} in the tree", path);
    unique_fd made = try_open(root, path, O_PATH | O_DIRECTORY);
    if (!made) // a dangling symlink ends here
        fail_errno("opening the directory {} in the tree", path);
    return made;
}

unique_fd make_mount_file(int root, std::string_view path, mode_t mode) {
    unique_fd fd = try_open(root, path, O_PATH);
    if (!fd && errno == ENOENT) {
        const std::filesystem::path wanted(path);
        const unique_fd above = make_directory(root, wanted.parent_path().native());
        const unique_fd made(::openat(above.get(), wanted.filename().c_str(),
                                      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
        if (!made && errno != EEXIST)
            fail_errno("creating {} in the tree", path);
        fd = try_open(root, path, O_PATH);
    }
    if (!fd)
        fail_errno("opening {} in the tree", path);
    struct stat st{};
    if (::fstat(fd.get(), &st) < 0)
        fail_errno("looking at {} in the tree", path);
    if (S_ISDIR(st.st_mode))
        fail_code(EISDIR, "opening {} in the tree", path);
    return fd;
}

std::optional<std::string> read_file(int root, std::string_view path, std::size_t limit) {
    const unique_fd handle = try_open(root, path, O_PATH);
    if (!handle) {
        if (errno == ENOENT || errno == ENOTDIR)
            return std::nullopt;
        fail_errno("opening {} in the tree", path);
    }
    struct stat st{};
    if (::fstat(handle.get(), &st) < 0)
        fail_errno("looking at {} in the tree", path);
    if (!S_ISREG(st.st_mode))
        fail("{} in the tree is not a regular file", path);
    const unique_fd fd(::open(descriptor_path(handle.get()).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd)
        fail_errno("opening {} in the tree", path);
    return read_all(fd.get(), path, limit);
}

void change_directory(int root, std::string_view path) {
    const unique_fd directory = try_open(root, path, O_PATH | O_DIRECTORY);
    if (!directory)
        fail_errno("entering {} in the tree", path);
    change_directory_to(directory.get(), path);
}

void change_directory_to(int directory, std::string_view what) {
    if (::fchdir(directory) < 0)
        fail_errno("entering {} in the tree", what);
    require_inside(what);
}

void require_inside(std::string_view what) {
    // Not by getcwd(3), which goes up by itself where the kernel says "(unreachable)".
    std::array<char, PATH_MAX> path{};
    if (::syscall(SYS_getcwd, path.data(), path.size()) < 0)
        fail_errno("entering {} in the tree", what);
    if (path.front() != '/')
        fail_code(EXDEV, "entering {}, which is not in the tree", what);
}

bool is_executable(int root, std::string_view path) noexcept {
    const unique_fd fd = try_open(root, path, O_PATH);
    struct stat st{};
    return fd && ::fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}

} // namespace berth::rooted
