// SPDX-License-Identifier: LGPL-2.1-or-later
// Method calls through sd-bus, for programs that must start fast.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/systemd_handles.hpp"

namespace berth::bus_call {

/// What the other side answered instead.
class CallError : public Error {
public:
    CallError(const std::string &what, int code, std::string name)
        : Error(what, code), name_(std::move(name)) {}

    /// Of the error, such as "org.freedesktop.systemd1.UnitExists".
    [[nodiscard]] const std::string &name() const noexcept { return name_; }

private:
    std::string name_;
};

/// A connection to the system bus.
[[nodiscard]] BusPtr open_system();

/// An empty method call.
[[nodiscard]] BusMessagePtr method(sd_bus *bus, const char *destination, const char *path,
                                   const char *interface, const char *member);

/// Sends the call and waits for the answer. Throws CallError "doing: what the other side said".
BusMessagePtr call(sd_bus *bus, sd_bus_message *message, const std::string &doing,
                   std::chrono::seconds deadline = std::chrono::seconds(90));

/// Throws for a negative result of an sd-bus function.
void check(int result, const char *doing);

} // namespace berth::bus_call
