// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks as IPAddressAllow= and IPAddressDeny= name them (systemd.resource-control(5)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::systemd {

struct IpPrefix {
    int family = 0;    ///< AF_INET or AF_INET6
    std::string bytes; ///< of the address, in network order
    std::uint32_t length = 0;
};

/// What a word stands for: "192.0.2.0/24", "2001:db8::1", "any", "localhost", "link-local" or
/// "multicast". Throws Error for any other.
[[nodiscard]] std::vector<IpPrefix> ip_prefixes(std::string_view word);

} // namespace berth::systemd
