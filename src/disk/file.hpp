// SPDX-License-Identifier: LGPL-2.1-or-later
// The file or block device that holds an image.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"

namespace berth::disk {

struct ImageFile {
    unique_fd fd;
    std::string name; ///< how it was given
    std::uint64_t size = 0;
    unsigned sector_size = 512; ///< the device's
    bool is_device = false;
    bool read_only = true; ///< how it was opened
};

/// Opens the image at `path`, on the host. Throws Error for what can be none.
[[nodiscard]] ImageFile open_image(const std::string &path, bool read_only);

/// Locks it: shared when it is open for reading only, else for us alone. The lock belongs to the
/// open file, which loop devices keep open: it lasts as long as the last of them. Throws Error
/// (EBUSY) when somebody else's lock is in the way.
void lock_image(const ImageFile &image);

} // namespace berth::disk
