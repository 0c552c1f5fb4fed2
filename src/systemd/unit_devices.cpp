// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/unit_devices.hpp"

#include <cstdlib>
#include <memory>

#include "systemd/bus_call.hpp"

namespace berth::unit_devices {

namespace {

constexpr const char *systemd = "org.freedesktop.systemd1";

struct Free {
    void operator()(char *text) const noexcept {
        ::free(text);
    } // NOLINT(cppcoreguidelines-no-malloc): sd-bus's
};

std::string policy_of(sd_bus *bus, const std::string &unit) {
    char *encoded = nullptr;
    bus_call::check(::sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &encoded),
                    "naming a unit on the bus");
    const std::unique_ptr<char, Free> path(encoded);
    const BusMessagePtr message =
        bus_call::method(bus, systemd, path.get(), "org.freedesktop.DBus.Properties", "Get");
    const char *interface =
        unit.ends_with(".scope") ? "org.freedesktop.systemd1.Scope" : "org.freedesktop.systemd1.Service";
    bus_call::check(::sd_bus_message_append(message.get(), "ss", interface, "DevicePolicy"),
                    "making a bus message");
    const BusMessagePtr answer =
        bus_call::call(bus, message.get(), "asking for the device policy of " + unit);
    const char *policy = nullptr;
    bus_call::check(::sd_bus_message_read(answer.get(), "v", "s", &policy), "reading a device policy");
    return policy;
}

} // namespace

void allow(sd_bus *bus, const std::string &unit, const std::string &node, const char *access) {
    if (policy_of(bus, unit) == "auto")
        return; // one rule would shut out all others
    const BusMessagePtr message = bus_call::method(bus, systemd, "/org/freedesktop/systemd1",
                                                   "org.freedesktop.systemd1.Manager", "SetUnitProperties");
    bus_call::check(::sd_bus_message_append(message.get(), "sba(sv)", unit.c_str(), 1, 1, "DeviceAllow",
                                            "a(ss)", 1, node.c_str(), access),
                    "making a bus message");
    bus_call::call(bus, message.get(), "allowing " + unit + " the device " + node);
}

} // namespace berth::unit_devices
