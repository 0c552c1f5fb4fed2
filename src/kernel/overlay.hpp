// SPDX-License-Identifier: LGPL-2.1-or-later
// Overlays (Documentation/filesystems/overlayfs.rst) of directories and detached mounts.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "kernel/id_maps.hpp"

namespace berth::overlay {

/// A directory of an overlay.
struct Layer {
    std::string path;
    int place = -1;      ///< the directory itself, opened before; negative: it is opened now
    bool mapped = false; ///< users are mapped as they should be already
};

struct Request {
    std::vector<Layer> lowers; ///< lowest first
    std::string upper;         ///< what is written goes here; empty: nothing is written
    std::string work;          ///< beside `upper`
    int upper_folder = -1;     ///< what both are in, opened before; negative: it is opened now
    bool upper_mapped = false; ///< its users are mapped as they should be already
    unsigned attributes = 0;   ///< MOUNT_ATTR_*
};

/// The overlay as a detached mount, its layers mapped onto the machine's users where `ids` says
/// so. For that the caller must be in a mount namespace of its own.
[[nodiscard]] unique_fd mount(const Request &request, IdMaps &ids);

} // namespace berth::overlay
