// SPDX-License-Identifier: LGPL-2.1-or-later
// Links of a network namespace: looking at them, making, changing and removing them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/names.hpp"
#include "network/netlink.hpp"

namespace berth::network {

/// A link as it is now.
struct Link {
    int index = 0;
    std::string name;
    std::vector<std::string> alternative_names;
    std::string kind;  ///< veth, bridge, …; empty for hardware
    std::string alias; ///< free text; nothing in a machine can change that of a host's link
    Mac mac{};         ///< zeros when it is no Ethernet
    int master = 0;    ///< index of the bridge it is a port of
    unsigned flags = 0;
};

/// By name or alternative name.
[[nodiscard]] std::optional<Link> find_link(Netlink &in, std::string_view name);
[[nodiscard]] std::optional<Link> find_link(Netlink &in, int index);
[[nodiscard]] std::vector<Link> all_links(Netlink &in);

/// A pair of connected Ethernet ends.
struct Veth {
    std::string host; ///< at most 15 characters
    Mac host_mac{};
    std::string machine;
    Mac machine_mac{};
};

/// What can be said of a link at once.
struct Change {
    std::optional<std::string> alias;
    std::optional<int> master;
    bool up = false;
};

// These return 0 or an errno.

/// One end in the namespace of `in`, the other in `netns`: when either goes, both do.
[[nodiscard]] int add_veth(Netlink &in, const Veth &veth, int netns);
/// On top of the link `below` of `in`, but in `netns`; in mode bridge.
[[nodiscard]] int add_macvlan(Netlink &in, int below, const std::string &name, const Mac &mac, int netns);
/// The same in mode L2.
[[nodiscard]] int add_ipvlan(Netlink &in, int below, const std::string &name, int netns);
[[nodiscard]] int add_bridge(Netlink &in, const std::string &name, const Mac &mac);

[[nodiscard]] int change_link(Netlink &in, int index, const Change &change);
[[nodiscard]] int add_alternative_name(Netlink &in, int index, std::string_view name);
[[nodiscard]] int remove_alternative_name(Netlink &in, int index, std::string_view name);
/// Moves a link to another namespace, where its name is `name`.
[[nodiscard]] int move_link(Netlink &in, int index, int netns, std::string_view name);
[[nodiscard]] int remove_link(Netlink &in, int index);

} // namespace berth::network
