// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/printable.hpp"

#include <format>
#include <optional>

namespace berth {

namespace {

/// How long a control sequence (ECMA-48, "CSI") at the beginning of `text` is; 0: there is none.
std::size_t sequence_length(std::string_view text) {
    if (!text.starts_with("\x1b["))
        return 0;
    for (std::size_t i = 2; i < text.size(); ++i)
        if (text[i] >= 0x40 && text[i] <= 0x7e)
            return i + 1;
    return 0;
}

struct Character {
    char32_t code;
    std::size_t length;
};

/// The character that `text` begins with, when that is valid UTF-8 (RFC 3629).
std::optional<Character> first_character(std::string_view text) {
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

/// U+0080 to U+009F, and those of Unicode's bidirectional algorithm.
bool steers(char32_t code) {
    return (code >= 0x80 && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f
           || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

} // namespace

std::string printable(std::string_view text) {
    while (text.ends_with('\r'))
        text.remove_suffix(1);
    std::string clean;
    while (!text.empty()) {
        std::size_t length = sequence_length(text);
        if (length == 0) {
            const auto character = first_character(text);
            length = character ? character->length : 1;
            const auto byte = static_cast<unsigned char>(text.front());
            if (!character || (byte < 0x20 && byte != '\t') || byte == 0x7f)
                clean += std::format("\\x{:02x}", byte);
            else if (steers(character->code))
                clean += std::format("\\u{:04x}", static_cast<unsigned>(character->code));
            else
                clean += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return clean;
}

} // namespace berth
