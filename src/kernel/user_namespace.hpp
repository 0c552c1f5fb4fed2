// SPDX-License-Identifier: LGPL-2.1-or-later
// User namespaces (user_namespaces(7)) and their maps.
#pragma once

#include <sys/types.h>

#include "base/id_map.hpp"
#include "base/unique_fd.hpp"

namespace berth::user_namespace {

/// The same map for users and groups.
struct Maps {
    id_map::Map users;
    id_map::Map groups;
};

/// Writes the maps of the namespace that `pid`, a child of ours, was born into.
void write_maps(pid_t pid, const Maps &maps);

/// A user namespace that nobody is in, to map mounts with.
[[nodiscard]] unique_fd make(const Maps &maps);

} // namespace berth::user_namespace
