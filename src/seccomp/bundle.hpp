// SPDX-License-Identifier: LGPL-2.1-or-later
// Compiled filters with what they were made from, as one file: what berth-seccomp writes and the
// launcher keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "seccomp/program.hpp"

namespace berth::seccomp {

struct Bundle {
    std::string recipe; ///< see request.hpp
    /// What the user should be told each time the filter is used.
    std::vector<std::string> warnings;
    std::uint32_t libseccomp = 0; ///< the version that compiled it: major, minor, micro, a byte each
    Programs programs;
};

/// A header, the text, then the programs' instructions one after the other as the kernel takes
/// them; the size is a multiple of an instruction's.
[[nodiscard]] std::string encode(const Bundle &bundle);

/// Undoes encode(); nothing when `data` is not whole or not of this format.
[[nodiscard]] std::optional<Bundle> decode(std::string_view data);

} // namespace berth::seccomp
