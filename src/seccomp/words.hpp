// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>
#include <vector>

namespace berth::seccomp {

/// What white space in `text` separates.
[[nodiscard]] inline std::vector<std::string_view> words(std::string_view text) {
    constexpr std::string_view space = " \t\n\v\f\r";
    std::vector<std::string_view> found;
    while (true) {
        const auto begin = text.find_first_not_of(space);
        if (begin == std::string_view::npos)
            return found;
        text.remove_prefix(begin);
        const std::string_view word = text.substr(0, text.find_first_of(space));
        found.push_back(word);
        text.remove_prefix(word.size());
    }
}

} // namespace berth::seccomp
