// SPDX-License-Identifier: LGPL-2.1-or-later
// The packet filter's part in forwarding ports (nft(8)).
#pragma once

#include <nftables/libnftables.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/addresses.hpp"
#include "network/plan.hpp"

namespace berth::network {

/// Where connections go: nowhere for a family without an address.
struct Target {
    std::optional<Address> ipv4;
    std::optional<Address> ipv6;

    friend bool operator==(const Target &, const Target &) = default;
};

/// The commands that make the table `name` forward `ports` to `target`, and do nothing else.
[[nodiscard]] std::string table_commands(std::string_view name, const std::vector<Port> &ports,
                                         const Target &target);

/// The table of one machine. The kernel keeps others from changing it, and removes it when our
/// socket is closed, however we end.
class Table {
public:
    /// Throws Error when another process has one for that machine.
    Table(std::string_view machine, std::vector<Port> ports);

    /// Forwards to `target`, from now on and in one step.
    void aim(const Target &target);

private:
    void run(const std::string &commands, std::string_view doing);

    struct Frees {
        void operator()(nft_ctx *context) const noexcept { ::nft_ctx_free(context); }
    };
    std::string name_;
    std::vector<Port> ports_;
    std::unique_ptr<nft_ctx, Frees> context_;
};

} // namespace berth::network
