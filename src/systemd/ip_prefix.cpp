// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/ip_prefix.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace berth::systemd {

namespace {

struct Word {
    std::string_view name;
    std::array<const char *, 2> prefixes;
};

constexpr std::array words{
    Word{"any", {"0.0.0.0/0", "::/0"}},
    Word{"localhost", {"127.0.0.0/8", "::1/128"}},
    Word{"link-local", {"169.254.0.0/16", "fe80::/64"}},
    Word{"multicast", {"224.0.0.0/4", "ff00::/8"}},
};

std::optional<IpPrefix> parse(std::string_view text) {
    const auto slash = text.find('/');
    const std::string address(text.substr(0, slash));
    IpPrefix prefix{.family = address.contains(':') ? AF_INET6 : AF_INET};
    prefix.bytes.resize(prefix.family == AF_INET6 ? sizeof(in6_addr) : sizeof(in_addr));
    if (::inet_pton(prefix.family, address.c_str(), prefix.bytes.data()) != 1)
        return std::nullopt;
    const std::size_t most = prefix.bytes.size() * 8;
    const auto length = slash == std::string_view::npos ? std::optional<std::uint64_t>(most)
                                                        : parse_unsigned(text.substr(slash + 1));
    if (!length || *length > most)
        return std::nullopt;
    prefix.length = static_cast<std::uint32_t>(*length);
    return prefix;
}

} // namespace

std::vector<IpPrefix> ip_prefixes(std::string_view word) {
    const auto *const known = std::ranges::find(words, word, &Word::name);
    if (known != words.end())
        return {*parse(known->prefixes[0]), *parse(known->prefixes[1])};
    const auto prefix = parse(word);
    if (!prefix)
        fail("\"{}\" is no network: write ADDRESS[/LENGTH], any, localhost, link-local or multicast", word);
    return {*prefix};
}

} // namespace berth::systemd
