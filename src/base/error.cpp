// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"

#include <cstring>

namespace berth {

std::string errno_text(int code) {
    const char *text = strerrordesc_np(code);
    return text != nullptr ? std::string(text) : std::format("error {}", code);
}

} // namespace berth
