// SPDX-License-Identifier: LGPL-2.1-or-later
// Names and hardware addresses of links: the same for the same machine, whenever it runs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::network {

inline constexpr std::size_t longest_name = 15;              ///< IFNAMSIZ without the end
inline constexpr std::size_t longest_alternative_name = 127; ///< ALTIFNAMSIZ without the end

/// Whether the kernel, and those who read its lists, take `name` for a link.
[[nodiscard]] bool interface_name_valid(std::string_view name, std::size_t longest = longest_name) noexcept;

/// A name that fits: `name` itself, or its beginning and a hash of all of it.
[[nodiscard]] std::string shortened(std::string_view name);

/// What the host calls its end of the machine's own link, in full: ve-NAME, or vb-NAME when it is
/// a port of a bridge.
[[nodiscard]] std::string veth_name(std::string_view machine, bool bridged);

/// The bridge of a zone.
[[nodiscard]] std::string zone_bridge(std::string_view zone);

using Mac = std::array<std::uint8_t, 6>;

/// The end of a link that is meant.
enum class Side : std::uint8_t { host, machine };

/// A locally administered unicast address that follows from the host, the machine and the link's
/// name in full. A zone's bridge belongs to no machine: it has an empty `machine`.
[[nodiscard]] Mac stable_mac(std::string_view host_id, std::string_view machine, std::string_view link,
                             Side side) noexcept;

/// The host's machine-id(5); empty when it has none yet.
[[nodiscard]] std::string host_id();

} // namespace berth::network
