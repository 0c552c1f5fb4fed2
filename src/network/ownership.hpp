// SPDX-License-Identifier: LGPL-2.1-or-later
// Whose a link of the host is. It stands in the link's alias, which goes with the link and which
// no machine can change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "network/links.hpp"

namespace berth::network {

/// The machine that a link leads into.
struct Owner {
    std::string machine;
    std::uint64_t netns = 0; ///< namespace_id() of its network namespace

    friend bool operator==(const Owner &, const Owner &) = default;
};

/// The alias of a host's end.
[[nodiscard]] std::string alias_of(const Owner &owner);
/// What an alias says; nothing when it is none of ours.
[[nodiscard]] std::optional<Owner> owner_in(std::string_view alias);

/// Whether some process is in the network namespace, or it is mounted somewhere we see. One that
/// is only held by a descriptor is not in use: its machine has ended.
[[nodiscard]] bool namespace_in_use(std::uint64_t netns);

} // namespace berth::network
