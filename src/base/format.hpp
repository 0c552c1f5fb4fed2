// SPDX-License-Identifier: LGPL-2.1-or-later
// std::format() whose work is compiled once: the standard library's own makes each file that calls it
// contain all of it, which took half of the time of a build.
#pragma once

#include <format>
#include <string>
#include <string_view>

namespace berth {

/// As std::vformat().
[[nodiscard]] std::string vformat(std::string_view text, std::format_args args);

/// As std::format().
template <class... Args> [[nodiscard]] std::string format(std::format_string<Args...> text, Args &&...args) {
    return berth::vformat(text.get(), std::make_format_args(args...));
}

} // namespace berth
