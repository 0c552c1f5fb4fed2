// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/inspect_id_map.hpp"

#include <format>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace berth::cli {

namespace {

/// All IDs there are: the last one, -1, is no ID.
constexpr std::uint32_t all_ids = 4294967295;

} // namespace

IdMap parse_id_map(std::string_view text) {
    IdMap map;
    for (const std::string &line : split(text, '\n')) {
        std::vector<std::string> numbers = split(line, ' '); // in columns
        std::erase(numbers, "");
        if (numbers.empty())
            continue;
        const auto number = [&](std::size_t at) {
            const auto value = at < numbers.size() ? parse_unsigned(numbers[at]) : std::nullopt;
            if (!value || *value > all_ids)
                fail("\"{}\" is not a line of an ID map", line);
            return static_cast<std::uint32_t>(*value);
        };
        map.push_back({.inside = number(0), .outside = number(1), .count = number(2)});
    }
    return map;
}

std::optional<std::uint32_t> outside_of(const IdMap &map, std::uint32_t id) {
    for (const IdRange &range : map)
        if (id >= range.inside && id - range.inside < range.count)
            return range.outside + (id - range.inside);
    return std::nullopt;
}

std::optional<std::uint32_t> inside_of(const IdMap &map, std::uint32_t id) {
    for (const IdRange &range : map)
        if (id >= range.outside && id - range.outside < range.count)
            return range.inside + (id - range.outside);
    return std::nullopt;
}

std::vector<std::string> in_words(const IdMap &map, std::string_view what) {
    if (map.empty())
        return {std::format("{}: none is mapped", what)};
    std::vector<std::string> lines;
    for (const IdRange &range : map) {
        if (range.inside == range.outside && range.count == all_ids)
            return {std::format("{}: the same inside as outside", what)};
        const std::string_view title = lines.empty() ? what : "and";
        if (range.count == 1)
            lines.push_back(std::format("{}: {} inside is {} outside", title, range.inside, range.outside));
        else
            lines.push_back(std::format("{}: {} to {} inside are {} to {} outside", title, range.inside,
                                        range.inside + (range.count - 1), range.outside,
                                        range.outside + (range.count - 1)));
    }
    return lines;
}

} // namespace berth::cli
