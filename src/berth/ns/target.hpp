// SPDX-License-Identifier: LGPL-2.1-or-later
// Whose namespaces are meant: a name that they are held under, a machine, a process, a file.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "berth/ns/kinds.hpp"

namespace berth::ns {

struct Member {
    const Kind *kind = nullptr;
    unique_fd fd;
};

/// Namespaces, and the process that they were taken from, if any.
struct Target {
    std::string what; ///< in words, for messages: "machine web"
    std::vector<Member> members;
    unique_fd process; ///< pidfd
    pid_t pid = 0;
};

using Kinds = std::vector<const Kind *>;

/// True for what is a process ID and can be no name.
[[nodiscard]] bool is_number(std::string_view word);

/// Opens the namespaces of `word`: a path (with a slash), a process ID, or else a machine. Of a process
/// those of `wanted`, or where that is empty, those of `usual` that differ from ours. All are one and
/// the same process's. Throws Error when there are none.
[[nodiscard]] Target open_target(const std::string &word, const Kinds &wanted, const Kinds &usual);

/// All kinds but those of `without`.
[[nodiscard]] Kinds kinds_without(std::span<const std::string_view> without);

} // namespace berth::ns
