// SPDX-License-Identifier: LGPL-2.1-or-later
// Zones: bridges that exist for as long as some machine is on them. All of this under lock_links().
#pragma once

#include <string>

#include "network/links.hpp"

namespace berth::network {

/// The bridge of a zone, made when it is missing.
struct ZoneBridge {
    int index = 0;
    bool made = false;
};
[[nodiscard]] ZoneBridge ensure_zone(Netlink &host, const std::string &zone);

/// Removes the bridge of a zone when it has no port. Nothing happens when there is no such bridge.
void remove_zone_if_empty(Netlink &host, const std::string &zone);

/// Removes all bridges that were made by ensure_zone() and have no port: those of launchers that
/// were killed.
void sweep_zones(Netlink &host);

} // namespace berth::network
