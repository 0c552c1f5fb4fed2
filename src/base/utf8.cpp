// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/utf8.hpp"

namespace berth::utf8 {

std::optional<Character> first(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::size_t length = byte(0) < 0x80                       ? 1
                               : byte(0) >= 0xc2 && byte(0) <= 0xdf ? 2
                               : byte(0) >= 0xe0 && byte(0) <= 0xef ? 3
                               : byte(0) >= 0xf0 && byte(0) <= 0xf4 ? 4
                                                                    : 0;
    if (length == 0 || length > text.size())
        return std::nullopt;
    char32_t code = length == 1 ? byte(0) : byte(0) & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80)
            return std::nullopt;
        code = (code << 6U) | (byte(i) & 0x3fU);
    }
    const bool is_overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (is_overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return std::nullopt;
    return Character{.code = code, .length = length};
}

bool valid(std::string_view text) {
    while (!text.empty()) {
        const auto character = first(text);
        if (!character)
            return false;
        text.remove_prefix(character->length);
    }
    return true;
}

} // namespace berth::utf8
