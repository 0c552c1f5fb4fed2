// SPDX-License-Identifier: LGPL-2.1-or-later
// Paths inside a tree that we do not trust. Everything resolves with openat2(RESOLVE_IN_ROOT)
// against a descriptor of the tree's root: symlinks and ".." cannot lead out of it.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace berth::rooted {

/// Opens `path` within the tree behind `root`. `flags` as in openat2(2); O_CLOEXEC and O_NOCTTY
/// are added. Returns an empty unique_fd with errno set when it fails.
[[nodiscard]] unique_fd try_open(int root, std::string_view path, int flags, mode_t mode = 0) noexcept;

/// As try_open(); throws Error naming the path.
[[nodiscard]] unique_fd open(int root, std::string_view path, int flags, mode_t mode = 0);

/// As open(), for a path on which there must be no link at all.
[[nodiscard]] unique_fd open_plain(int root, std::string_view path, int flags);

/// Opens the directory `path` (O_PATH), making it and its parents with `mode` where missing.
/// Symlinks are followed within the tree, also where they lead to what is not there yet. Throws ENOTDIR when
/// something else is in the way.
[[nodiscard]] unique_fd make_directory(int root, std::string_view path, mode_t mode = 0755);

/// The same two, which throw ENOENT at a link that leads nowhere: what is made is at `path` itself.
[[nodiscard]] unique_fd make_directory_here(int root, std::string_view path);
[[nodiscard]] unique_fd make_mount_file_here(int root, std::string_view path);

/// Opens `path` (O_PATH) as something a file can be mounted on: what is there unless it is a
/// directory, else a new empty file, which a link that leads nowhere leads to then. Throws EISDIR for a
/// directory.
[[nodiscard]] unique_fd make_mount_file(int root, std::string_view path, mode_t mode = 0644);

/// Reads the regular file `path`, at most `limit` bytes; nothing when there is none. A fifo, a
/// device or a socket in its place is refused without being opened for reading.
[[nodiscard]] std::optional<std::string> read_file(int root, std::string_view path,
                                                   std::size_t limit = 1024UL * 1024);

/// Makes the directory `path` our working directory, as whoever we are by now. Throws Error where it is,
/// or leads by links, out of what our root shows: then the host's tree would lie above it.
void change_directory(int root, std::string_view path);

/// The same for a directory that is open, which `what` names.
void change_directory_to(int directory, std::string_view what);

/// Throws EXDEV, naming `what`, unless our working directory is within what our root shows.
void require_inside(std::string_view what);

/// True when `path` exists and is an executable regular file.
[[nodiscard]] bool is_executable(int root, std::string_view path) noexcept;

} // namespace berth::rooted
