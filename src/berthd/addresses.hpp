// SPDX-License-Identifier: LGPL-2.1-or-later
// The network addresses of a running machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::addresses {

struct Address {
    int family; ///< AF_INET or AF_INET6
    std::vector<std::uint8_t> bytes;

    bool operator==(const Address &) const = default;
};

/// Joins the network namespace of the leader behind `pidfd`, for good, and reads the addresses in
/// it, except those of the loopback and those valid on one link only. Nothing is joined and there
/// are none if it is the namespace that we are in. The text is for decode().
[[nodiscard]] std::string join_and_read(int pidfd);

[[nodiscard]] std::vector<Address> decode(std::string_view text);

} // namespace berth::addresses
