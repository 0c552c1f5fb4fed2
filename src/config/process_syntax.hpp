// SPDX-License-Identifier: LGPL-2.1-or-later
// Values of settings about the process itself. All throw Error that says what is wrong.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/machine_config.hpp"

namespace berth::process_syntax {

/// NAME=VALUE, or NAME alone for what our own environment has under that name.
[[nodiscard]] std::pair<std::string, std::string> environment(std::string_view value);

/// "UID[:COUNT]" of --private-users=; a range within 0 to 2^32-2 that leaves out 65535 as a base.
[[nodiscard]] std::pair<std::uint32_t, std::uint32_t> id_range(std::string_view value);

[[nodiscard]] int oom_score_adjust(std::string_view value);

/// Adds "0-3,5 7" to `cpus`; kept sorted, each once.
void cpus(std::string_view value, std::vector<unsigned> &cpus);

/// "x86" or "x86-64" as personality(2) has it.
[[nodiscard]] unsigned long personality(std::string_view value);

/// "SOFT:HARD" or one value for both, in the unit of the limit (systemd.exec(5), "Process
/// Properties"). `resource` is RLIMIT_*.
[[nodiscard]] ResourceLimit limit(int resource, std::string_view value);

/// Names of all limits.
[[nodiscard]] std::vector<std::string> limit_names();

/// "NAME=SOFT:HARD" of --rlimit=.
[[nodiscard]] ResourceLimit named_limit(std::string_view value);

/// "ID:VALUE" with C escapes in VALUE or, `is_path`, "ID:PATH".
[[nodiscard]] Credential credential(std::string_view value, bool is_path, const Origin &origin);

} // namespace berth::process_syntax
