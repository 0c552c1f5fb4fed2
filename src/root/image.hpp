// SPDX-License-Identifier: LGPL-2.1-or-later
// Disk images as roots. A program of its own, berth-image, opens them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/lock_file.hpp"
#include "base/unique_fd.hpp"

namespace berth::image {

struct Mount {
    std::string designator; ///< "root", "usr", "home", "srv", "var", "tmp", "xbootldr", "esp"
    std::string path;       ///< where it belongs in the machine; absolute
    bool read_only = false;
    unique_fd mount; ///< detached; the image's loop device and lock live as long as it is open or mounted
};

/// Opens the image at `image`, a file or block device, and mounts what a machine gets of it: the
/// root first, parents before children. With `read_only`, nothing is written to it, and others may
/// use it that way at once. Throws Error, with what berth-image says, when that does not work;
/// then nothing is left. Its warnings go to our stderr. `policy`: as systemd.image-policy(7) has it.
/// With `locks`, the image is locked against systemd-nspawn and machined, too, and whoever has these
/// locks keeps it so.
[[nodiscard]] std::vector<Mount> attach(const std::string &image, bool read_only,
                                        const std::optional<std::string> &policy = std::nullopt,
                                        std::vector<LockFile> *locks = nullptr);

} // namespace berth::image
