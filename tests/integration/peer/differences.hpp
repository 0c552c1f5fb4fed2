// SPDX-License-Identifier: LGPL-2.1-or-later
// Where machines of berth differ from those of systemd-nspawn, and why.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "support/probe.hpp"

namespace berth::test {

struct Difference {
    std::string_view variants; ///< of the test's, separated by blanks; empty for all
    std::string_view key;      ///< of Facts; a pattern as of fnmatch(3)
    std::string_view reason;
};

/// Of peer_test.cpp.
[[nodiscard]] std::span<const Difference> peer_differences();
/// Of network_peer_test.cpp.
[[nodiscard]] std::span<const Difference> link_differences();

/// Fails the test where the two differ and `known` does not have it for the variant, and where
/// `known` has something that is no difference any more.
void expect_differences(const Facts &ours, const Facts &theirs, std::span<const Difference> known,
                        const std::string &variant);

/// A row of the tables of options of which systemd-nspawn makes something else.
struct OptionDifference {
    std::string_view suite;
    std::string_view row;     ///< its name
    std::string_view options; ///< as people know them
    std::string_view reason;
};

[[nodiscard]] std::span<const OptionDifference> option_differences();

/// The reason why the row differs, or empty.
[[nodiscard]] std::string_view option_difference(std::string_view suite, std::string_view row);

} // namespace berth::test
