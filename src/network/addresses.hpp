// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a machine can be reached.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "network/netlink.hpp"

namespace berth::network {

/// An IP address.
struct Address {
    int family = AF_UNSPEC;
    std::array<std::uint8_t, 16> bytes{}; ///< the first four of them, for IPv4

    [[nodiscard]] std::size_t size() const { return family == AF_INET ? 4 : 16; }
    [[nodiscard]] std::string text() const;

    friend auto operator<=>(const Address &, const Address &) = default;
};

/// The addresses of a family that links of the namespace have and that others can use: none of the
/// loopback, none valid on one link only, none that may still turn out to be taken. Lasting ones
/// come before temporary ones.
[[nodiscard]] std::vector<Address> usable_addresses(Netlink &machine, int family);

/// Whether the host sends what goes to `address` out through one of the links `ways`; through any
/// link, if `ways` is empty. False for the host's own addresses: a machine that took one would
/// otherwise have others' connections led to the host's services.
[[nodiscard]] bool leads_out(Netlink &host, const Address &address, const std::set<int> &ways);

} // namespace berth::network
