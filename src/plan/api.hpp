// SPDX-License-Identifier: LGPL-2.1-or-later
// What a machine has because it is one: the kernel's filesystems, what lies over parts of them, and /dev. The
// launcher carries this out in order and adds nothing; api() is systemd-nspawn's way of making a machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace berth {

/// A filesystem made for the machine.
struct FilesystemPlan {
    std::string type; ///< as in filesystems(5)
    std::string path; ///< absolute, in the machine; parents come first
    /// Those named uid and gid have IDs of the machine.
    std::vector<std::pair<std::string, std::string>> options;
    unsigned attributes = 0; ///< MOUNT_ATTR_*
    std::string origin;      ///< the setting it comes from, or "default"
};

/// What lies over a path of the kernel's filesystems. One that is not there is passed over: not every kernel has
/// them all.
struct CoverPlan {
    enum class Kind : std::uint8_t {
        read_only,    ///< the same, readable at most
        writable,     ///< the same, as it was before anything covered it
        inaccessible, ///< a file or directory that nobody may open
        fifo,         ///< a pipe that nothing comes out of
        text,         ///< a file that says `text`
    };
    Kind kind = Kind::inaccessible;
    std::string path;
    std::string text;
    /// Only where the machine's root is the host's as far as files are concerned, and yet has users of its own.
    bool of_host_root = false;
    std::string origin;
};

/// A node of /dev.
struct DevicePlan {
    std::string path;
    mode_t mode = 0; ///< with its type
    unsigned major = 0;
    unsigned minor = 0;
    std::string origin;
};

struct LinkPlan {
    std::string path;
    std::string target;
};

struct ApiPlan {
    std::vector<FilesystemPlan> filesystems;
    std::vector<CoverPlan> covers;
    std::vector<DevicePlan> devices;
    std::vector<LinkPlan> links;
    unsigned long propagation = 0; ///< of all mounts, once the tree is the machine's root: MS_*
};

} // namespace berth
