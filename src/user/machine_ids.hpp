// SPDX-License-Identifier: LGPL-2.1-or-later
// Which names and IDs a machine's own passwd(5) and group(5) leave for users of the host.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace berth::user {

/// IDs that no system hands out itself: systemd's documentation, "Users, Groups, UIDs and GIDs on
/// systemd Systems", "mapped user" range.
inline constexpr std::uint32_t first_mapped_id = 60514;
inline constexpr std::uint32_t last_mapped_id = 60577;

/// True when the text of a passwd(5) or group(5) has an entry of this name.
[[nodiscard]] bool has_name(std::string_view database, std::string_view name);

/// The first ID of that range that is below `count`, neither a user's nor a group's, and not in
/// `taken`; nothing when there is none.
[[nodiscard]] std::optional<std::uint32_t> free_id(std::string_view passwd, std::string_view group,
                                                   std::uint32_t count,
                                                   const std::vector<std::uint32_t> &taken);

} // namespace berth::user
