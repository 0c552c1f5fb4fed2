// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/format.hpp"

namespace berth {

std::string vformat(std::string_view text, std::format_args args) {
    return std::vformat(text, args);
}

} // namespace berth
