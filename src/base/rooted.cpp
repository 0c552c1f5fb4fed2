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

namespace {

/// As many as the kernel follows (path_resolution(7)).
constexpr int most_links = 40;

/// Where the link `path`, which is in the directory `above`, leads; nothing when it is none.
std::optional<std::filesystem::path> target_of(int above, const std::filesystem::path &path) {
    std::array<char, PATH_MAX> text{};
    const ssize_t size = ::readlinkat(above, path.filename().c_str(), text.data(), text.size());
    if (size <= 0)
        return std::nullopt;
    return path.parent_path() / std::string_view(text.data(), static_cast<std::size_t>(size)); // or absolute
}

unique_fd make_directory_by(int root, const std::filesystem::path &path, mode_t mode, int links) {
    if (unique_fd there = try_open(root, path.native(), O_PATH | O_DIRECTORY); there)
        return there;
    if (errno != ENOENT)
        fail_errno("opening the directory {} in the tree", path.native());
    const std::filesystem::path parent = path.parent_path();
    const unique_fd above =
        parent == path ? open(root, "/", O_PATH | O_DIRECTORY) : make_directory_by(root, parent, mode, links);
    if (const auto target = links > 0 ? target_of(above.get(), path) : std::nullopt)
        return make_directory_by(root, *target, mode, links - 1);
    if (::mkdirat(above.get(), path.filename().c_str(), mode) < 0 && errno != EEXIST)
        fail_errno("creating the directory {} in the tree", path.native());
    unique_fd made = try_open(root, path.native(), O_PATH | O_DIRECTORY);
    if (!made)
        fail_errno("opening the directory {} in the tree", path.native());
    return made;
}

unique_fd make_file_by(int root, const std::filesystem::path &path, mode_t mode, int links) {
    unique_fd fd = try_open(root, path.native(), O_PATH);
    if (fd || errno != ENOENT)
        return fd;
    const unique_fd above = make_directory_by(root, path.parent_path(), 0755, links);
    if (const auto target = links > 0 ? target_of(above.get(), path) : std::nullopt)
        return make_file_by(root, *target, mode, links - 1);
    const unique_fd made(::openat(above.get(), path.filename().c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!made && errno != EEXIST)
        fail_errno("creating {} in the tree", path.native());
    return try_open(root, path.native(), O_PATH);
}

} // namespace

unique_fd make_directory(int root, std::string_view path, mode_t mode) {
    return make_directory_by(root, path, mode, most_links);
}

unique_fd make_directory_here(int root, std::string_view path) {
    return make_directory_by(root, path, 0755, 0);
}

namespace {

unique_fd require_file(unique_fd fd, std::string_view path) {
    if (!fd)
        fail_errno("opening {} in the tree", path);
    struct stat st{};
    if (::fstat(fd.get(), &st) < 0)
        fail_errno("looking at {} in the tree", path);
    if (S_ISDIR(st.st_mode))
        fail_code(EISDIR, "opening {} in the tree", path);
    return fd;
}

} // namespace

unique_fd make_mount_file(int root, std::string_view path, mode_t mode) {
    return require_file(make_file_by(root, path, mode, most_links), path);
}

unique_fd make_mount_file_here(int root, std::string_view path) {
    return require_file(make_file_by(root, path, 0644, 0), path);
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
