// SPDX-License-Identifier: LGPL-2.1-or-later
// What there is at a file in a machine that an exec of it would heed. The path and the file are the
// machine's, and hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "berth/inspect/exec.hpp"
#include "berth/inspect/topic.hpp"

namespace berth::cli {

struct InspectedFile {
    exec_rules::File rules;
    std::string mode;                   ///< octal
    std::optional<std::uint32_t> owner; ///< inside the machine; nothing: it has no such user
    std::optional<std::uint32_t> group;
    bool nosuid = false;
    bool script = false;
    bool executable = false;
    /// The user, as we know him, who is root where the file's capabilities count; nothing when it has
    /// none. 0 in version 2 of security.capability, else from version 3.
    std::optional<std::uint32_t> root_id;
    std::string relation; ///< of root_id to the machine's user namespace, in words
};

/// Looks at the regular file `subject.file`. Throws Error when it is something else.
[[nodiscard]] InspectedFile look_at_file(const Subject &subject);

} // namespace berth::cli
