// SPDX-License-Identifier: LGPL-2.1-or-later
// The names of our errors on the bus, and how an exception becomes one of them.
#pragma once

#include <sdbus-c++/Error.h>

#include <exception>
#include <utility>

#include "base/format.hpp"

namespace berth::bus_error {

inline constexpr const char *no_such_machine = "org.berth1.NoSuchMachine";
inline constexpr const char *no_machine_for_pid = "org.berth1.NoMachineForPID";
inline constexpr const char *machine_exists = "org.berth1.MachineExists";
/// The leader exited while the machine was being made.
inline constexpr const char *leader_gone = "org.berth1.LeaderGone";
inline constexpr const char *invalid_args = "org.freedesktop.DBus.Error.InvalidArgs";
inline constexpr const char *access_denied = "org.freedesktop.DBus.Error.AccessDenied";
inline constexpr const char *needs_interaction =
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
inline constexpr const char *not_supported = "org.freedesktop.DBus.Error.NotSupported";
inline constexpr const char *limits_exceeded = "org.freedesktop.DBus.Error.LimitsExceeded";
inline constexpr const char *timeout = "org.freedesktop.DBus.Error.Timeout";
inline constexpr const char *failed = "org.freedesktop.DBus.Error.Failed";

/// An error to answer with. The message names the machine or unit that it is about.
template <class... Args>
[[nodiscard]] sdbus::Error make(const char *name, std::format_string<Args...> fmt, Args &&...args) {
    return {sdbus::Error::Name(name), berth::format(fmt, std::forward<Args>(args)...)};
}

/// Any exception as a bus error: its own name if it has one, else the name for its errno.
[[nodiscard]] sdbus::Error from(const std::exception_ptr &exception);

/// `error` with what was being done put before its message.
[[nodiscard]] sdbus::Error while_doing(const std::string &doing, const sdbus::Error &error);

} // namespace berth::bus_error
