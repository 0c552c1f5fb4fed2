// SPDX-License-Identifier: LGPL-2.1-or-later
// Method calls through sd-bus, for programs that must start fast.
#pragma once

#include "systemd/handles.hpp"

#include <chrono>
#include <string>

namespace berth::bus_call {

/// A connection to the system bus.
[[nodiscard]] BusPtr open_system();

/// An empty method call.
[[nodiscard]] BusMessagePtr method(sd_bus *bus, const char *destination, const char *path,
                                   const char *interface, const char *member);

/// Sends the call and waits for the answer. Throws Error "doing: what the other side said".
BusMessagePtr call(sd_bus *bus, sd_bus_message *message, const std::string &doing,
                   std::chrono::seconds deadline = std::chrono::seconds(90));

/// Throws for a negative result of an sd-bus function.
void check(int result, const char *doing);

} // namespace berth::bus_call
