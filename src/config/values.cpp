// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/values.hpp"

#include "base/parse.hpp"

namespace berth::values {

bool truth(std::string_view value) {
    const auto parsed = parse_bool(value);
    if (!parsed)
        fail("\"{}\" is neither yes nor no", value);
    return *parsed;
}

std::string absolute(std::string_view value) {
    if (!value.starts_with('/'))
        fail("\"{}\" is not an absolute path", value);
    return std::string(value);
}

std::vector<std::string> pieces(std::string_view value) {
    std::vector<std::string> found;
    std::size_t at = 0;
    while ((at = value.find_first_not_of(", \t", at)) != std::string_view::npos) {
        const std::size_t end = value.find_first_of(", \t", at);
        found.emplace_back(value.substr(at, end - at));
        if (end == std::string_view::npos)
            break;
        at = end;
    }
    return found;
}

std::string list_of(const std::vector<std::string_view> &names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i > 0)
            text += i + 1 == names.size() ? " or " : ", ";
        text += names[i];
    }
    return text;
}

std::string_view yes_or_no(std::string_view value) {
    const auto truth = parse_bool(value);
    return !truth ? value : *truth ? "yes" : "no";
}

} // namespace berth::values
