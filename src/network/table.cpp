// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/table.hpp"

#include <array>
#include <new>
#include <string>
#include <tuple>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace berth::network {

namespace {

/// The hooks where the destination of what comes in, and of what the host itself sends, changes.
constexpr std::array<std::string_view, 2> chains{"prerouting", "output"};

std::string rule(std::string_view table, std::string_view chain, const Port &port, const Address &address) {
    const char *protocol = port.protocol == Port::Protocol::tcp ? "tcp" : "udp";
    // What is sent to an address that is good on one link only could not be sent on to another.
    const auto [family, unless, to] =
        address.family == AF_INET
            ? std::tuple("ip", "127.0.0.0/8", berth::format("{}:{}", address.text(), port.machine))
            : std::tuple("ip6", "{ ::1, fe80::/10 }", berth::format("[{}]:{}", address.text(), port.machine));
    return berth::format(
        "add rule inet {} {} {} daddr != {} fib daddr type local {} dport {} dnat {} to {}\n", table, chain,
        family, unless, protocol, port.host, family, to);
}

} // namespace

std::string table_commands(std::string_view name, const std::vector<Port> &ports, const Target &target) {
    std::string commands = berth::format("add table inet {} {{ flags owner; }}\n", name);
    for (const std::string_view chain : chains) {
        commands += berth::format("add chain inet {} {} {{ type nat hook {} priority -100; }}\n"
                                  "flush chain inet {} {}\n",
                                  name, chain, chain, name, chain);
        for (const auto *const address : {&target.ipv4, &target.ipv6})
            for (const Port &port : ports)
                if (*address)
                    commands += rule(name, chain, port, **address);
    }
    return commands;
}

Table::Table(std::string_view machine, std::vector<Port> ports)
    : name_(berth::format("berth-{}", machine)), ports_(std::move(ports)),
      context_(::nft_ctx_new(NFT_CTX_DEFAULT)) {
    if (!context_ || ::nft_ctx_buffer_error(context_.get()) != 0
        || ::nft_ctx_buffer_output(context_.get()) != 0)
        throw std::bad_alloc();
    run(berth::format("create table inet {} {{ flags owner; }}", name_),
        berth::format("making the nftables table {} for the ports of machine {}", name_, machine));
    aim({});
}

void Table::aim(const Target &target) {
    run(table_commands(name_, ports_, target),
        berth::format("forwarding ports by the nftables table {}", name_));
}

void Table::run(const std::string &commands, std::string_view doing) {
    if (::nft_run_cmd_from_buffer(context_.get(), commands.c_str()) == 0)
        return;
    // The first line has the reason; what follows points into the commands.
    const std::string said = ::nft_ctx_get_error_buffer(context_.get());
    fail("{}: {}", doing, trim(split(said, '\n').front()));
}

} // namespace berth::network
