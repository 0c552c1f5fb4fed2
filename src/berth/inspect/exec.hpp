// SPDX-License-Identifier: LGPL-2.1-or-later
// What the kernel makes of a process's capabilities at an exec (capabilities(7), "Transformation of
// capabilities during execve()"), worked out step by step. Pure.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "kernel/capabilities.hpp"

namespace berth::exec_rules {

using capabilities::Set;

struct Sets {
    Set permitted = 0;
    Set effective = 0;
    Set inheritable = 0;
    Set ambient = 0;
};

/// A process before its exec. IDs are those inside its user namespace.
struct Caller {
    uid_t uid = 0; ///< real and effective
    gid_t gid = 0;
    Sets sets;
    Set bounding = 0;
    bool no_new_privileges = false;
};

struct FileCapabilities {
    Set permitted = 0;
    Set inheritable = 0;
    bool effective = false;
    std::string ignored; ///< why they count for nothing; empty when they count
};

struct File {
    std::optional<uid_t> set_uid; ///< the owner, of a file that is set-uid
    std::optional<gid_t> set_gid;
    std::string set_id_ignored; ///< why these count for nothing
    std::optional<FileCapabilities> capabilities;
};

struct Outcome {
    bool refused = false; ///< the exec fails with EPERM
    uid_t uid = 0;        ///< effective
    gid_t gid = 0;
    Sets sets;                      ///< afterwards
    Set gained = 0;                 ///< permitted afterwards and not before
    std::vector<std::string> lines; ///< how it comes about, for people
};

/// Where the process has its securebits as they are at boot (root counts as privileged), and is not
/// being traced.
[[nodiscard]] Outcome run(const Caller &caller, const File &file);

/// Names of the members with blanks between, or "none".
[[nodiscard]] std::string text_of(Set set);

} // namespace berth::exec_rules
