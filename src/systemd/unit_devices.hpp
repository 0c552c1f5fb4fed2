// SPDX-License-Identifier: LGPL-2.1-or-later
// Devices that a running unit may open (systemd.resource-control(5), DeviceAllow=).
#pragma once

#include <string>

struct sd_bus;

namespace berth::unit_devices {

/// Lets the scope or service `unit` open the device `node`; `access` is of "rwm". A unit that may open
/// any device (DevicePolicy=auto) stays as it is. Holds until the unit is started anew.
void allow(sd_bus *bus, const std::string &unit, const std::string &node, const char *access);

} // namespace berth::unit_devices
