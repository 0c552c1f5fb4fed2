// SPDX-License-Identifier: LGPL-2.1-or-later
// What is written down of a machine, and the text it is written as.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

struct Record {
    std::string name;
    std::string unit;
    bool own_unit = false; ///< berthd had the unit made, and ends it with the machine
    std::string service;   ///< who registered it
    std::string root;      ///< directory on the host, or empty
    std::string id;        ///< 32 hexadecimal digits, or empty
    pid_t leader = 0;
    std::uint64_t leader_id = 0; ///< pidfd::id_of() of it; 0 when it has none
    std::string kind;            ///< "container" or "vm"
    std::uint64_t realtime = 0;  ///< of the registration; microseconds
    std::uint64_t monotonic = 0;
    std::vector<std::int32_t> interfaces; ///< indices of links on the host that lead to the machine
};

/// The lines that every reader of /run/systemd/machines knows.
[[nodiscard]] std::string public_text(const Record &record);

/// Those, and what only berthd needs.
[[nodiscard]] std::string private_text(const Record &record);

/// Reads private_text(). Unknown keys are passed over. Throws Error with `file` and the line.
[[nodiscard]] Record parse_record(std::string_view text, std::string_view file);

} // namespace berth
