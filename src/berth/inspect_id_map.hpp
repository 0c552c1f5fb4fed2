// SPDX-License-Identifier: LGPL-2.1-or-later
// The maps of user namespaces (user_namespaces(7)), as their readers in /proc see them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

/// `count` IDs from `inside` on, which are to us those from `outside` on.
struct IdRange {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;
};
using IdMap = std::vector<IdRange>;

/// The text of a uid_map or gid_map. Throws Error when it is none; the kernel writes no such.
[[nodiscard]] IdMap parse_id_map(std::string_view text);

/// What `id` inside is to us, and the other way round; nothing for one that is not mapped.
[[nodiscard]] std::optional<std::uint32_t> outside_of(const IdMap &map, std::uint32_t id);
[[nodiscard]] std::optional<std::uint32_t> inside_of(const IdMap &map, std::uint32_t id);

/// A line for each range; `what` is "users" or "groups", with which the first begins.
[[nodiscard]] std::vector<std::string> in_words(const IdMap &map, std::string_view what);

} // namespace berth::cli
