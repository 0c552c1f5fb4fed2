// SPDX-License-Identifier: LGPL-2.1-or-later
// Where machines of berth differ from those of systemd-nspawn, and why.
#pragma once

#include <span>
#include <string_view>

namespace berth::test {

struct Difference {
    std::string_view variants; ///< of peer_test.cpp, separated by blanks; empty for all
    std::string_view key;      ///< of Facts; a pattern as of fnmatch(3)
    std::string_view reason;
};

[[nodiscard]] std::span<const Difference> peer_differences();

} // namespace berth::test
