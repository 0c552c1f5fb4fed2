// SPDX-License-Identifier: LGPL-2.1-or-later
// The filter of system calls that a machine runs under (seccomp(2)). Making one takes libseccomp and
// some milliseconds, so another program does that, and what it made is kept.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "build.hpp"
#include "seccomp/program.hpp"
#include "seccomp/request.hpp"

namespace berth::seccomp {

/// Where things are; other than the defaults in tests only.
struct Places {
    std::filesystem::path cache = "/var/cache/berth/seccomp";
    std::filesystem::path compiler = std::filesystem::path(build::libexecdir) / "berth-seccomp";
    uid_t owner = 0; ///< whose files and folder in the cache are trusted
};

struct Filter {
    Programs programs; ///< in the order in which to install them
    /// What the user should be told, as sentences: rules that were passed over.
    std::vector<std::string> warnings;
};

/// The filter for `request`: from the cache, else made now and put there. What is in the cache counts
/// only when nobody but its owner can have written it, and it is whole and was made for such a
/// request; else it is replaced. A cache that cannot be used is no error. Throws Error when the rules
/// are wrong, or the filter cannot be made.
[[nodiscard]] Filter load(const Request &request, const Places &places = {});

/// Puts this process, and all that come from it, under `programs`. It needs CAP_SYS_ADMIN in its user
/// namespace, or no_new_privs to be set (prctl(2)). From then on only what the filter allows goes:
/// it is meant for the last step before exec that still has the capability.
void install(const Programs &programs);

} // namespace berth::seccomp
