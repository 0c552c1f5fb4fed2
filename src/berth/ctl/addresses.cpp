// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ctl/addresses.hpp"

#include <arpa/inet.h>

#include <array>

namespace berth::cli {

std::string addresses_text(const Addresses &addresses, unsigned most) {
    std::string text;
    unsigned count = 0;
    for (const auto &[family, bytes] : addresses) {
        if (count == most)
            return text + "…";
        std::array<char, INET6_ADDRSTRLEN> buffer{};
        const std::size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
        if (bytes.size() != size
            || ::inet_ntop(family, bytes.data(), buffer.data(), buffer.size()) == nullptr)
            continue;
        text += (text.empty() ? "" : "\n") + std::string(buffer.data());
        ++count;
    }
    return text;
}

} // namespace berth::cli
