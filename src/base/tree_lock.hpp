// SPDX-License-Identifier: LGPL-2.1-or-later
// Locks on trees and disk images, as systemd-nspawn and systemd-machined take and heed them: none
// of us writes to what another uses.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/lock_file.hpp"

namespace berth::tree_lock {

/// Locks the tree, image or block device that was opened at `path`, where `st` tells of it: by the file
/// ".#NAME.lck" beside it, and by one in /run/systemd/nspawn/locks that is named for what is there,
/// by whichever path it was found. On a read-only filesystem the latter alone has to do.
/// Throws Error (EBUSY) naming `path` when another program's lock is in the way.
[[nodiscard]] std::vector<LockFile> take(const std::string &path, const struct stat &st, LockFile::Mode mode);

} // namespace berth::tree_lock
