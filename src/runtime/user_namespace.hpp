// SPDX-License-Identifier: LGPL-2.1-or-later
// User namespaces (user_namespaces(7)) and their maps.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/unique_fd.hpp"

namespace berth::user_namespace {

/// `count` IDs from `inside` on, which are those from `outside` on in the parent.
struct Range {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;
};

/// The same map for users and groups.
struct Maps {
    std::vector<Range> users;
    std::vector<Range> groups;
};

/// Writes the maps of the namespace that `pid`, a child of ours, was born into.
void write_maps(pid_t pid, const Maps &maps);

/// A user namespace that nobody is in, to map mounts with.
[[nodiscard]] unique_fd make(const Maps &maps);

} // namespace berth::user_namespace
