// SPDX-License-Identifier: LGPL-2.1-or-later
// Paths of the host that a plan has settled, absolute and without links. In folders that others than root
// may write to, something else may be at them the next time: they are opened once.
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace berth::host_path {

/// Opens `path`; a link that has come into it since is an error (openat2(2), RESOLVE_NO_SYMLINKS). `flags`
/// as in open(2); O_CLOEXEC is added. Throws Error naming the path.
[[nodiscard]] unique_fd open(const std::string &path, int flags);

/// As open(); empty, with errno, when it fails.
[[nodiscard]] unique_fd try_open(const std::string &path, int flags) noexcept;

/// Opens the directory `path` anew (O_PATH), in the mount namespace that we are in by now: `before` is what
/// was there when it was opened first. Throws Error when it is another one.
[[nodiscard]] unique_fd open_again(const std::string &path, int before);

/// True when nobody but root can put something else at `path`.
[[nodiscard]] bool is_fixed(const std::string &path);

/// Throws Error unless the open directory `fd`, at `path`, is root's and nobody else may even look into it.
void require_roots(int fd, const std::string &path);

} // namespace berth::host_path
