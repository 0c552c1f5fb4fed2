// SPDX-License-Identifier: LGPL-2.1-or-later
// All namespaces that there are to see on the host, and what keeps each alive: processes, open
// descriptors, mounts (nsfs), and other namespaces, which are inside of them or belong to them.
#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "berth/ns/kinds.hpp"

namespace berth::ns {

struct Namespace {
    std::set<pid_t> processes;       ///< those that are in it, with any of their threads
    std::set<pid_t> for_children;    ///< those whose children alone will be (pid, time)
    std::set<pid_t> descriptors;     ///< those that have it open
    std::vector<std::string> mounts; ///< places, but for names
    std::vector<std::string> names;  ///< that it is held under
    std::set<ino_t> namespaces;      ///< its children, and those that it owns
};

/// By kind, and inode, which tells namespaces of a kind apart.
using Key = std::pair<const Kind *, ino_t>;
using Namespaces = std::map<Key, Namespace>;

/// Looks at all processes. What comes or goes meanwhile may be missing or in it.
[[nodiscard]] Namespaces scan();

} // namespace berth::ns
