// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"

#include <cstring>

namespace berth {

std::string errno_text(int code) {
    const char *text = strerrordesc_np(code);
    return text != nullptr ? std::string(text) : berth::format("error {}", code);
}

void vfail(std::string_view text, std::format_args args) {
    throw Error(berth::vformat(text, args));
}

void vfail_code(int code, std::string_view text, std::format_args args) {
    throw Error(berth::vformat(text, args) + ": " + errno_text(code), code);
}

} // namespace berth
