// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/inspect/id_map.hpp"
#include "base/format.hpp"

#include <cstdint>

namespace berth::cli {

namespace {

/// All IDs there are: the last one, -1, is no ID.
constexpr std::uint32_t all_ids = 4294967295;

} // namespace

std::vector<std::string> in_words(const id_map::Map &map, std::string_view what) {
    if (map.empty())
        return {berth::format("{}: none is mapped", what)};
    std::vector<std::string> lines;
    for (const id_map::Range &range : map) {
        if (range.inside == range.outside && range.count == all_ids)
            return {berth::format("{}: the same inside as outside", what)};
        const std::string_view title = lines.empty() ? what : "and";
        if (range.count == 1)
            lines.push_back(berth::format("{}: {} inside is {} outside", title, range.inside, range.outside));
        else
            lines.push_back(berth::format("{}: {} to {} inside are {} to {} outside", title, range.inside,
                                          range.inside + (range.count - 1), range.outside,
                                          range.outside + (range.count - 1)));
    }
    return lines;
}

} // namespace berth::cli
