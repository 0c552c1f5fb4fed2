// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/id_map.hpp"

#include <string>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace berth::id_map {

namespace {

/// All IDs there are: the last one, -1, is no ID.
constexpr std::uint32_t all_ids = 4294967295;

} // namespace

Map parse(std::string_view text) {
    Map map;
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

std::optional<std::uint32_t> outside_of(const Map &map, std::uint32_t id) {
    for (const Range &range : map)
        if (id >= range.inside && id - range.inside < range.count)
            return range.outside + (id - range.inside);
    return std::nullopt;
}

std::optional<std::uint32_t> inside_of(const Map &map, std::uint32_t id) {
    for (const Range &range : map)
        if (id >= range.outside && id - range.outside < range.count)
            return range.inside + (id - range.outside);
    return std::nullopt;
}

} // namespace berth::id_map
