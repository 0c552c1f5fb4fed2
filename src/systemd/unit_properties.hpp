// SPDX-License-Identifier: LGPL-2.1-or-later
// Unit properties as people write them (systemd.resource-control(5), systemd.scope(5)), put into
// a D-Bus message as systemd takes them (org.freedesktop.systemd1(5), StartTransientUnit).
#pragma once

#include <systemd/sd-bus.h>

#include <string_view>

namespace berth::unit_properties {

/// Appends the struct (sv) for "NAME=VALUE" to the open array of `message`.
/// Throws Error on a name that is not known here and on a value that makes no sense.
void append(sd_bus_message *message, std::string_view assignment);

/// Appends the struct for a property whose value is text, true, or an array of one pidfd.
void append_text(sd_bus_message *message, const char *name, const char *value);
void append_bool(sd_bus_message *message, const char *name, bool value);
void append_pidfd(sd_bus_message *message, const char *name, int pidfd);

} // namespace berth::unit_properties
