// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace berth {

/// Text whose author is not trusted, for a terminal: control sequences are left out, and what else steers a
/// terminal or the direction of writing, or is not UTF-8, is written as "\x1b" or "\u202e". A newline is one
/// of these.
[[nodiscard]] std::string printable(std::string_view text);

} // namespace berth
