// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/stat.h>

namespace berth {

/// True when both tell of one file, by whatever path or descriptor it was reached (inode(7)).
[[nodiscard]] inline bool is_same_file(const struct stat &one, const struct stat &other) noexcept {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

} // namespace berth
