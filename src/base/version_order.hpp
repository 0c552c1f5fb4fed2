// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <compare>
#include <string_view>

namespace berth {

/// Which of two versions is newer, by
/// https://uapi-group.org/specifications/specs/version_format_specification/
/// ("1.10" is newer than "1.9", "1~rc1" older than "1"). Versions that only differ in what that
/// does not look at are equal.
[[nodiscard]] std::weak_ordering version_order(std::string_view a, std::string_view b);

} // namespace berth
