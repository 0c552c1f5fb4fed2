// SPDX-License-Identifier: LGPL-2.1-or-later
// Values that several settings take. All throw Error that says what is wrong with the value.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace berth::values {

[[nodiscard]] bool truth(std::string_view value);

/// An absolute path, as it is.
[[nodiscard]] std::string absolute(std::string_view value);

/// Pieces between commas and blanks; empty ones are left out.
[[nodiscard]] std::vector<std::string> pieces(std::string_view value);

/// "A, B or C" of the names in `choices`.
[[nodiscard]] std::string list_of(const std::vector<std::string_view> &names);

/// "yes" or "no" of a truth value in any of its forms; else `value` as it is.
[[nodiscard]] std::string_view yes_or_no(std::string_view value);

template <class T, std::size_t N>
[[nodiscard]] std::vector<std::string_view>
names_of(const std::array<std::pair<std::string_view, T>, N> &choices) {
    std::vector<std::string_view> names;
    for (const auto &[name, meaning] : choices)
        names.push_back(name);
    return names;
}

template <class T, std::size_t N>
[[nodiscard]] std::vector<std::string>
words_of(const std::array<std::pair<std::string_view, T>, N> &choices) {
    const std::vector<std::string_view> names = names_of(choices);
    return {names.begin(), names.end()};
}

/// The value that `value` is the name of.
template <class T, std::size_t N>
[[nodiscard]] T choice(std::string_view value, const std::array<std::pair<std::string_view, T>, N> &choices) {
    for (const auto &[name, meaning] : choices)
        if (name == value)
            return meaning;
    fail("\"{}\" is not {}", value, list_of(names_of(choices)));
}

} // namespace berth::values
