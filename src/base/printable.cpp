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
    unsigned code;
    std::size_t length;
};

/// A character of more than one byte that steers: U+0080 to U+009F, and those of Unicode's bidirectional
/// algorithm.
std::optional<Character> steering(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[i])) : 0U;
    };
    if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0)
        return Character{.code = byte(1), .length = 2};
    if (byte(0) != 0xe2 || (byte(1) != 0x80 && byte(1) != 0x81) || (byte(2) & 0xc0U) != 0x80)
        return std::nullopt;
    const unsigned code = 0x2000U | ((byte(1) & 0x3fU) << 6U) | (byte(2) & 0x3fU);
    const bool steers = code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e)
                        || (code >= 0x2066 && code <= 0x2069);
    return steers ? std::optional(Character{.code = code, .length = 3}) : std::nullopt;
}

} // namespace

std::string printable(std::string_view text) {
    while (text.ends_with('\r'))
        text.remove_suffix(1);
    std::string clean;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto code = static_cast<unsigned char>(text[i]);
        if (const std::size_t length = sequence_length(text.substr(i)); length > 0) {
            i += length - 1;
        } else if (const auto character = steering(text.substr(i))) {
            clean += std::format("\\u{:04x}", character->code);
            i += character->length - 1;
        } else if ((code < 0x20 && code != '\t') || code == 0x7f) {
            clean += std::format("\\x{:02x}", code);
        } else {
            clean += text[i];
        }
    }
    return clean;
}

} // namespace berth
