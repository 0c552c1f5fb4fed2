// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/earlier_unit.hpp"

#include <csignal>
#include <cstdint>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/proc_stat.hpp"

namespace berth::earlier_unit {

std::string in_use(const std::string &unit) {
    return berth::format("{} is there already and has processes; \"systemctl status {}\" tells which", unit,
                         unit);
}

bool is_staying(pid_t pid) {
    try {
        const auto stat = read_file_if_there(berth::format("/proc/{}/stat", pid));
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
    const proc_stat::Fields fields(stat);
    const std::string_view state = fields.text(proc_stat::state);
    if (state.empty())
        return false;
    const bool first_thread_ends =
        state == "Z" || state == "X" || (fields.number(proc_stat::flags) & exiting) != 0;
    const bool alone = fields.number(proc_stat::threads) <= 1;
    return !(first_thread_ends && alone) && (fields.number(proc_stat::pending_signals) & killed) == 0;
}

} // namespace berth::earlier_unit
