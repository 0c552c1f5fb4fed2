// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a process stands: its unit and its unit's cgroup. All by pidfd, so that what is told is
// told of that very process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace berth::process {

struct Place {
    std::string unit;   ///< of the system's manager; empty when there is none
    std::string cgroup; ///< the unit's, such as "/machine.slice/machine-a.scope"
};

/// The place of the process behind `pidfd`, whose pid is `pid`. Throws Error (ESRCH when the
/// process has exited). One look at /proc: it is on the way of every launch.
[[nodiscard]] Place place_of(int pidfd, pid_t pid);

/// The place in the text of /proc/PID/cgroup (cgroups(7)): the first part of the path that is no
/// slice is the unit; what follows is the unit's own affair.
[[nodiscard]] Place parse_cgroup(std::string_view text);

/// A pidfd for `pid` if it lives and is in `unit`; else an empty one. A number that went to
/// another process after its machine's end is so found out.
[[nodiscard]] unique_fd open_in_unit(pid_t pid, const std::string &unit);

/// What was written down of a leader.
struct Leader {
    pid_t pid = 0;
    std::uint64_t id = 0; ///< pidfd::id_of() of it, or 0 when that is not known
    std::string unit;
};

/// A pidfd for that very process if it lives, else an empty one: the ID tells, or where it is not
/// known, the unit.
[[nodiscard]] unique_fd open_leader(const Leader &leader);

/// The cgroup of a slice (systemd.slice(5)): "/a.slice/a-b.slice" of "a-b.slice".
[[nodiscard]] std::string slice_path(std::string_view slice);

/// A unit's cgroup: that very one, and none that is made at its path later.
struct Cgroup {
    std::string path; ///< as in Place; empty when it is not known
    std::uint64_t id = 0;
};

/// What is at `path` now.
[[nodiscard]] Cgroup cgroup_at(std::string path);

/// True while it exists, with processes or without.
[[nodiscard]] bool is_there(const Cgroup &cgroup);

/// Opens a file or folder in /proc/PID of the process behind `pidfd`. Throws Error when that
/// process has exited.
[[nodiscard]] unique_fd open_proc(int pidfd, const std::string &name, int flags);

/// True when the process behind `pidfd` is in our own user namespace.
[[nodiscard]] bool shares_user_namespace(int pidfd);

} // namespace berth::process
