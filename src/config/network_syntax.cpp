// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/network_syntax.hpp"

#include <algorithm>
#include <limits>

#include <net/if.h>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"

namespace berth::network_syntax {

namespace {

constexpr std::size_t longest = IFNAMSIZ - 1;

std::uint16_t port_number(std::string_view text, std::string_view whole) {
    const auto number = parse_unsigned(text);
    if (!number || *number == 0 || *number > std::numeric_limits<std::uint16_t>::max())
        fail("\"{}\": \"{}\" is not a port from 1 to 65535", whole, text);
    return static_cast<std::uint16_t>(*number);
}

} // namespace

std::string link_name(std::string_view value) {
    const auto bad = [](char c) { return c <= ' ' || c > '~' || c == '/' || c == ':' || c == '%'; };
    const bool number = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    if (value.empty() || value.size() > longest || value == "." || value == ".." || number
        || std::ranges::any_of(value, bad))
        fail("\"{}\" is not the name of a network link: 1 to {} characters, no blanks, \"/\", \":\" or \"%\"",
             value, longest);
    return std::string(value);
}

LinkPair link_pair(std::string_view value, std::string_view prefix) {
    const auto at = value.find(':');
    const std::string host = link_name(value.substr(0, at));
    if (at != std::string_view::npos)
        return {.host = host, .inside = link_name(value.substr(at + 1))};
    return {.host = host, .inside = (std::string(prefix) + host).substr(0, longest)};
}

std::string zone(std::string_view value) {
    (void)link_name("vz-" + std::string(value));
    return std::string(value);
}

PortForward port(std::string_view value) {
    PortForward forward{.protocol = "tcp"};
    std::string_view rest = value;
    for (const std::string_view protocol : {"tcp", "udp"})
        if (rest.starts_with(protocol) && rest.substr(protocol.size()).starts_with(':')) {
            forward.protocol = protocol;
            rest.remove_prefix(protocol.size() + 1);
            break;
        }
    const auto at = rest.find(':');
    forward.host = port_number(rest.substr(0, at), value);
    forward.machine = at == std::string_view::npos ? forward.host : port_number(rest.substr(at + 1), value);
    return forward;
}

std::string machine_or_path(std::string_view value) {
    if (!value.starts_with('/'))
        require_machine_name(value);
    return std::string(value);
}

} // namespace berth::network_syntax
