// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/printable.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"

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
            const auto character = utf8::first(text);
            length = character ? character->length : 1;
            const auto byte = static_cast<unsigned char>(text.front());
            if (!character || (byte < 0x20 && byte != '\t') || byte == 0x7f)
                clean += berth::format("\\x{:02x}", byte);
            else if (steers(character->code))
                clean += berth::format("\\u{:04x}", static_cast<unsigned>(character->code));
            else
                clean += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return clean;
}

} // namespace berth
