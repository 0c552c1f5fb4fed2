// SPDX-License-Identifier: LGPL-2.1-or-later
// Mounts into a machine that runs already.
#pragma once

#include <string>

#include "join/join.hpp"

namespace berth::live_mounts {

struct Request {
    std::string source;      ///< on the host, absolute
    std::string destination; ///< inside, absolute
    bool read_only = false;
    bool make = false; ///< make the destination when it is missing
};

/// Mounts what is at the source, with all that is mounted below it, into the machine. The
/// destination is resolved in the machine's tree and cannot lead out of it.
void bind(const join::Target &target, const Request &request);

/// Unmounts what bind() has mounted on `destination` inside, which must be no link and lead over none.
/// Throws Error when there is nothing of the kind.
void unbind(const join::Target &target, const std::string &destination);

} // namespace berth::live_mounts
