// SPDX-License-Identifier: LGPL-2.1-or-later
// Overlays (Documentation/filesystems/overlayfs.rst) of directories and detached mounts.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "runtime/id_maps.hpp"

namespace berth::overlay {

/// A directory of an overlay.
struct Layer {
    std::string path;
    bool mapped = false; ///< users are mapped as they should be already
};

struct Request {
    std::vector<Layer> lowers; ///< lowest first
    std::string upper;         ///< what is written goes here; empty: nothing is written
    std::string work;          ///< on the filesystem of `upper`
    unsigned attributes = 0;   ///< MOUNT_ATTR_*
};

/// The overlay as a detached mount, its layers mapped onto the machine's users where `ids` says
/// so. For that the caller must be in a mount namespace of its own.
[[nodiscard]] unique_fd mount(const Request &request, IdMaps &ids);

} // namespace berth::overlay
