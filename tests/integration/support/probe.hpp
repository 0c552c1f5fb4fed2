// SPDX-License-Identifier: LGPL-2.1-or-later
// What a process sees of the machine that it is PID 1 of: by key, so that two machines compare.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "support/process.hpp"

namespace berth::test {

/// "mount /proc" -> "proc rw,nosuid …"; "env TERM" -> "vt220"; and so on.
using Facts = std::map<std::string, std::string>;

/// The program of a shell (of busybox) that prints all that facts_of() reads, and then "== end".
[[nodiscard]] const std::string &probe_script();

/// Reads what the script printed. The first ID of the machine's users is written as "B".
[[nodiscard]] Facts facts_of(std::string_view printed);

/// Groups below a unit's that have processes, as "cgroup /payload".
void add_cgroups(Facts &facts, const std::string &unit);

} // namespace berth::test
