// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/bus_call.hpp"

#include "base/error.hpp"

namespace berth::bus_call {

void check(int result, const char *doing) {
    if (result < 0)
        fail_code(-result, "{}", doing);
}

BusPtr open_system() {
    sd_bus *bus = nullptr;
    check(::sd_bus_open_system(&bus), "connecting to the system bus");
    return BusPtr(bus);
}

BusMessagePtr method(sd_bus *bus, const char *destination, const char *path, const char *interface,
                     const char *member) {
    sd_bus_message *message = nullptr;
    check(::sd_bus_message_new_method_call(bus, &message, destination, path, interface, member),
          "making a bus message");
    return BusMessagePtr(message);
}

BusMessagePtr call(sd_bus *bus, sd_bus_message *message, const std::string &doing,
                   std::chrono::seconds deadline) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = nullptr;
    const auto limit = std::chrono::duration_cast<std::chrono::microseconds>(deadline).count();
    const int result = ::sd_bus_call(bus, message, static_cast<std::uint64_t>(limit), &error, &reply);
    if (result < 0) {
        const std::string text = error.message != nullptr ? error.message : errno_text(-result);
        const std::string name = error.name != nullptr ? error.name : "";
        ::sd_bus_error_free(&error);
        throw CallError(doing + ": " + text, -result, name);
    }
    return BusMessagePtr(reply);
}

} // namespace berth::bus_call
