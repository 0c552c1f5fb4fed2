// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole files in, whole files out.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "base/unique_fd.hpp"

namespace berth {

/// A path that leads to what `fd` is open on (proc_pid_fd(5)).
[[nodiscard]] std::string descriptor_path(int fd);

/// Files larger than this are refused by read_file() and friends; none we read comes near it.
inline constexpr std::size_t max_file_size = 16U * 1024 * 1024;

/// Another descriptor of the file that `fd` has open.
[[nodiscard]] unique_fd duplicate(int fd);

/// Reads all of `fd` from where it stands. `what` names it in errors.
[[nodiscard]] std::string read_all(int fd, std::string_view what, std::size_t limit = max_file_size);

/// Reads the file at `path`, a path on the host that we trust.
[[nodiscard]] std::string read_file(const std::filesystem::path &path);

/// As read_file(), for a place where others may put what blocks or never ends: only a regular file
/// is read.
[[nodiscard]] std::string read_regular_file(const std::filesystem::path &path);

/// As read_file(); nothing when the file does not exist.
[[nodiscard]] std::optional<std::string> read_file_if_there(const std::filesystem::path &path);

/// Writes all of `data`, through short writes and EINTR.
void write_all(int fd, std::string_view data, std::string_view what);

/// Replaces `path` by way of a temporary file beside it and rename(2): readers see the old
/// content or the new, never a part.
void write_file_atomic(const std::filesystem::path &path, std::string_view data, mode_t mode);

/// One write(2) into a file that exists, as the kernel's control files want it.
void write_control(const std::filesystem::path &path, std::string_view data);

} // namespace berth
