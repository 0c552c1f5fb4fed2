// SPDX-License-Identifier: LGPL-2.1-or-later
// Maps of user namespaces (user_namespaces(7)), as their readers in /proc see them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace berth::id_map {

/// `count` IDs from `inside` on, which are those from `outside` on in the parent, or to whoever reads the map
/// from elsewhere.
struct Range {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;
};
using Map = std::vector<Range>;

/// The text of a uid_map or gid_map. Throws Error when it is none; the kernel writes no such.
[[nodiscard]] Map parse(std::string_view text);

/// What `id` inside is outside, and the other way round; nothing for one that is not mapped.
[[nodiscard]] std::optional<std::uint32_t> outside_of(const Map &map, std::uint32_t id);
[[nodiscard]] std::optional<std::uint32_t> inside_of(const Map &map, std::uint32_t id);

} // namespace berth::id_map
