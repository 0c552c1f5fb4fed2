// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/zone.hpp"

#include <net/if.h>

#include <algorithm>

#include "base/error.hpp"

namespace berth::network {

namespace {

constexpr const char *zone_alias = "berth zone";

/// The address is given to a bridge in the moment it is made, the alias a moment later.
bool made_by_us(const Link &bridge) {
    return bridge.alias == zone_alias || bridge.mac == stable_mac(host_id(), {}, bridge.name, Side::host);
}

bool is_zone(const Link &link) {
    return link.kind == "bridge" && link.name.starts_with(zone_bridge({}));
}

void remove_if_empty(Netlink &host, const Link &bridge, const std::vector<Link> &links) {
    if (std::ranges::any_of(links, [&](const Link &link) { return link.master == bridge.index; }))
        return;
    if (const int code = remove_link(host, bridge.index); code != 0 && code != ENODEV)
        fail_code(code, "removing the bridge {}, which no machine uses any more", bridge.name);
}

Link add_zone(Netlink &host, const std::string &name) {
    if (const int code = add_bridge(host, name, stable_mac(host_id(), {}, name, Side::host)); code != 0)
        fail_code(code, "making the zone's bridge {}", name);
    const auto bridge = find_link(host, name);
    if (!bridge)
        fail("the zone's bridge {} was removed while it was being made: try again", name);
    return *bridge;
}

} // namespace

ZoneBridge ensure_zone(Netlink &host, const std::string &zone) {
    const std::string name = zone_bridge(zone);
    const auto found = find_link(host, name);
    if (found && found->kind != "bridge")
        fail("the zone {} cannot be used: the host's link {} is no bridge", zone, name);
    const Link bridge = found ? *found : add_zone(host, name);
    Change change{.up = true};
    if (!found)
        change.alias = zone_alias;
    if (const int code = change_link(host, bridge.index, change); code != 0) {
        if (!found)
            (void)remove_link(host, bridge.index);
        fail_code(code, "setting up the zone's bridge {}", name);
    }
    return {.index = bridge.index, .made = !found};
}

void remove_zone_if_empty(Netlink &host, const std::string &zone) {
    if (const auto bridge = find_link(host, zone_bridge(zone)); bridge && is_zone(*bridge))
        remove_if_empty(host, *bridge, all_links(host));
}

void sweep_zones(Netlink &host) {
    const std::vector<Link> links = all_links(host);
    for (const Link &link : links)
        if (is_zone(link) && made_by_us(link))
            remove_if_empty(host, link, links);
}

} // namespace berth::network
