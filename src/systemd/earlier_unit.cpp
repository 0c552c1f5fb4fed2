// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/earlier_unit.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <format>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"

namespace berth::earlier_unit {

std::string in_use(const std::string &unit) {
    return std::format("{} is there already and has processes; \"systemctl status {}\" tells which", unit,
                       unit);
}

bool is_staying(pid_t pid) {
    try {
        const auto stat = read_file_if_there(std::format("/proc/{}/stat", pid));
        return stat && tells_of_staying(*stat);
    } catch (const Error &error) {
        if (error.code() == ESRCH)
            return false;
        throw;
    }
}

bool tells_of_staying(std::string_view stat) {
    constexpr std::uint64_t exiting = 0x4; // PF_EXITING, see the kernel's <linux/sched.h>
    constexpr std::uint64_t killed = 1U << (SIGKILL - 1);
    // The name, field 2, may hold anything.
    const auto fields = split(stat.substr(std::min(stat.rfind(')'), stat.size())), ' ');
    const auto number = [&](std::size_t field) {
        return field - 2 < fields.size() ? parse_unsigned(fields[field - 2]).value_or(0) : 0;
    };
    if (fields.size() < 2)
        return false;
    const std::string &state = fields[1];
    const bool first_thread_ends = state == "Z" || state == "X" || (number(9) & exiting) != 0;
    const bool alone = number(20) <= 1;
    return !(first_thread_ends && alone) && (number(31) & killed) == 0;
}

} // namespace berth::earlier_unit
