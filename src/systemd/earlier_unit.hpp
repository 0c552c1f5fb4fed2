// SPDX-License-Identifier: LGPL-2.1-or-later
// A unit that is in the way of a new one of the same name: whether it is about to go, or in use.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>

namespace berth::earlier_unit {

/// Names of systemd's errors (org.freedesktop.systemd1(5)).
inline constexpr const char *exists = "org.freedesktop.systemd1.UnitExists";
inline constexpr const char *not_loaded = "org.freedesktop.systemd1.NoSuchUnit";

/// How long a process that was killed may look as if it stayed, and when to look again.
inline constexpr auto last_breath = std::chrono::milliseconds(200);
inline constexpr auto pause = std::chrono::milliseconds(5);

/// What to say of one that is in use.
[[nodiscard]] std::string in_use(const std::string &unit);

/// False when the process is not there, or is about to go: it exits, or SIGKILL is pending.
[[nodiscard]] bool is_staying(pid_t pid);

/// The same by the text of /proc/PID/stat (proc_pid_stat(5)), which tells of the first thread: when
/// that has ended alone, the process stays.
[[nodiscard]] bool tells_of_staying(std::string_view stat);

} // namespace berth::earlier_unit
