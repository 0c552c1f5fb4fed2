// SPDX-License-Identifier: LGPL-2.1-or-later
// Values as people write them in units and on command lines (systemd.syntax(7), systemd.time(7)).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

/// yes/no, true/false, y/n, t/f, on/off, 1/0, in any case; nothing for other text.
[[nodiscard]] std::optional<bool> parse_bool(std::string_view text) noexcept;

/// A decimal number without sign or other characters.
[[nodiscard]] std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept;

/// A size in bytes, with an optional suffix K, M, G, T, P or E to the base of 1024.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/// A time span such as "90", "5s", "2min 30s", "100ms"; a bare number counts seconds.
[[nodiscard]] std::optional<std::chrono::microseconds> parse_timespan(std::string_view text);

/// All that parse_signal() takes by name, in order of their numbers; those that have none by their number.
[[nodiscard]] std::vector<std::string> signal_names();

/// A signal as a number or a name with or without SIG, also RTMIN+n. See signal(7).
[[nodiscard]] std::optional<int> parse_signal(std::string_view text);

/// Thirty-two hexadecimal digits, or the dashed form of a UUID, as 32 lower-case digits.
[[nodiscard]] std::optional<std::string> parse_id128(std::string_view text);

/// The dashed form of what parse_id128() gives.
[[nodiscard]] std::string uuid_of(std::string_view id);

/// Splits at `separator`; empty pieces are kept.
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

/// Text without white space at its ends.
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;

/// The candidate nearest to `word` by edit distance, when near enough to be a typing error.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      const std::vector<std::string_view> &candidates);

} // namespace berth
