// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/format.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <string_view>

namespace berth::cli {

namespace {

using Micro = std::uint64_t;
constexpr Micro second = 1000000;
constexpr Micro minute = 60 * second;
constexpr Micro hour = 60 * minute;
constexpr Micro day = 24 * hour;
constexpr Micro week = 7 * day;
constexpr Micro month = 2629800 * second;
constexpr Micro year = 31557600 * second;

Micro now() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<Micro>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

std::string plural(Micro count, std::string_view unit) {
    return berth::format("{} {}{}", count, unit, count == 1 ? "" : "s");
}

std::string distance_text(Micro d) {
    if (d >= year)
        return plural(d / year, "year") + " " + plural(d % year / month, "month");
    if (d >= month)
        return plural(d / month, "month") + " " + plural(d % month / day, "day");
    if (d >= week)
        return plural(d / week, "week") + " " + plural(d % week / day, "day");
    if (d >= 2 * day)
        return plural(d / day, "day");
    if (d >= 25 * hour)
        return berth::format("1 day {}h", (d - day) / hour);
    if (d >= 6 * hour)
        return berth::format("{}h", d / hour);
    if (d >= hour)
        return berth::format("{}h {}min", d / hour, d % hour / minute);
    if (d >= 5 * minute)
        return berth::format("{}min", d / minute);
    if (d >= minute)
        return berth::format("{}min {}s", d / minute, d % minute / second);
    if (d >= second)
        return berth::format("{}s", d / second);
    return berth::format("{}ms", d / 1000);
}

} // namespace

std::string timestamp_text(std::uint64_t microseconds) {
    const auto seconds = static_cast<std::time_t>(microseconds / second);
    std::tm parts{};
    std::array<char, 64> buffer{};
    ::localtime_r(&seconds, &parts);
    // The names of days stay English whatever the locale, as systemd has them; we set no locale.
    return {buffer.data(), std::strftime(buffer.data(), buffer.size(), "%a %Y-%m-%d %H:%M:%S %Z", &parts)};
}

std::string age_text(std::uint64_t microseconds) {
    const Micro current = now();
    return microseconds <= current ? distance_text(current - microseconds) + " ago"
                                   : distance_text(microseconds - current) + " left";
}

std::string size_text(std::uint64_t bytes) {
    constexpr std::string_view suffixes = "BKMGTPE";
    std::size_t power = 0;
    auto value = static_cast<double>(bytes);
    while (value >= 1024 && power + 1 < suffixes.size()) {
        value /= 1024;
        ++power;
    }
    return power == 0 ? berth::format("{}B", bytes) : berth::format("{:.1f}{}", value, suffixes[power]);
}

std::string span_text(std::uint64_t microseconds) {
    if (microseconds >= day)
        return berth::format("{}d {}h", microseconds / day, microseconds % day / hour);
    if (microseconds >= hour)
        return berth::format("{}h {}min", microseconds / hour, microseconds % hour / minute);
    const auto seconds = static_cast<double>(microseconds % minute) / static_cast<double>(second);
    if (microseconds >= minute)
        return berth::format("{}min {:.3f}s", microseconds / minute, seconds);
    if (microseconds >= second)
        return berth::format("{:.3f}s", seconds);
    return berth::format("{}ms", microseconds / 1000);
}

std::string id_text(const std::vector<std::uint8_t> &id) {
    if (id.size() != 16 || std::ranges::all_of(id, [](std::uint8_t byte) { return byte == 0; }))
        return {};
    std::string text;
    for (const std::uint8_t byte : id)
        text += berth::format("{:02x}", byte);
    return text;
}

} // namespace berth::cli
