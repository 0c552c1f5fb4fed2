// SPDX-License-Identifier: LGPL-2.1-or-later
// /proc/PID/stat, see proc_pid_stat(5).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::proc_stat {

/// The fields by the numbers that the man page has. The name, field 2, may hold anything, so what follows
/// the last ")" counts.
class Fields {
public:
    /// What is not of that form has no fields.
    explicit Fields(std::string_view text);

    /// Without its parentheses.
    [[nodiscard]] const std::string &name() const noexcept { return name_; }
    /// Empty, or 0, for one that is not there, or is no number.
    [[nodiscard]] std::string_view text(std::size_t field) const noexcept;
    [[nodiscard]] std::uint64_t number(std::size_t field) const noexcept;

private:
    std::string name_;
    std::vector<std::string> from_state_; ///< field 3 first
};

/// Fields that are asked for.
constexpr std::size_t state = 3;
constexpr std::size_t session = 6;
constexpr std::size_t terminal = 7;
constexpr std::size_t flags = 9;
constexpr std::size_t threads = 20;
constexpr std::size_t pending_signals = 31;
constexpr std::size_t arguments = 48;   ///< their begin, then their end
constexpr std::size_t environment = 50; ///< the same

/// A device as it stands in the field `terminal` (include/linux/kdev_t.h of Linux, new_encode_dev()).
[[nodiscard]] std::uint64_t encoded(dev_t device) noexcept;

} // namespace berth::proc_stat
