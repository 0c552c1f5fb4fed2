// SPDX-License-Identifier: LGPL-2.1-or-later
// UTF-8 as RFC 3629 has it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace berth::utf8 {

struct Character {
    char32_t code;
    std::size_t length; ///< in bytes
};

/// The character that `text`, which is not empty, begins with; nothing when that is no UTF-8.
[[nodiscard]] std::optional<Character> first(std::string_view text) noexcept;

/// True when all of it is.
[[nodiscard]] bool valid(std::string_view text);

} // namespace berth::utf8
