// SPDX-License-Identifier: LGPL-2.1-or-later
// Times and sizes as systemd's tools print them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace berth::cli {

/// "Tue 2026-11-24 11:20:23 UTC" from microseconds since 1970.
[[nodiscard]] std::string timestamp_text(std::uint64_t microseconds);

/// How long ago that was: "3s ago", "2 days ago", "1h 5min ago".
[[nodiscard]] std::string age_text(std::uint64_t microseconds);

/// A size with one decimal: "12.5M".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// A time span: "1.234s", "2min 5.1s", "3h 12min".
[[nodiscard]] std::string span_text(std::uint64_t microseconds);

/// 16 bytes as 32 hexadecimal digits; empty when all are zero or there are not 16.
[[nodiscard]] std::string id_text(const std::vector<std::uint8_t> &id);

} // namespace berth::cli
