// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/parse.hpp"
#include "base/format.hpp"

#include <signal.h>
#include <string.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

namespace berth {

namespace {

bool same(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

constexpr auto blank = " \t\n\r";

struct Unit {
    std::string_view name;
    std::uint64_t microseconds;
};
constexpr std::array time_units{
    Unit{"usec", 1},
    Unit{"us", 1},
    Unit{"msec", 1000},
    Unit{"ms", 1000},
    Unit{"seconds", 1000000},
    Unit{"second", 1000000},
    Unit{"sec", 1000000},
    Unit{"s", 1000000},
    Unit{"minutes", 60000000},
    Unit{"minute", 60000000},
    Unit{"min", 60000000},
    Unit{"m", 60000000},
    Unit{"hours", 3600000000},
    Unit{"hour", 3600000000},
    Unit{"hr", 3600000000},
    Unit{"h", 3600000000},
    Unit{"days", 86400000000},
    Unit{"day", 86400000000},
    Unit{"d", 86400000000},
    Unit{"weeks", 604800000000},
    Unit{"week", 604800000000},
    Unit{"w", 604800000000},
};

} // namespace

std::optional<bool> parse_bool(std::string_view text) noexcept {
    for (const std::string_view word : {"1", "yes", "y", "true", "t", "on"})
        if (same(text, word))
            return true;
    for (const std::string_view word : {"0", "no", "n", "false", "f", "off"})
        if (same(text, word))
            return false;
    return std::nullopt;
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || !std::isfinite(number) || number < 0)
        return std::nullopt;
    const std::string_view suffix = trim(std::string_view(end, text.data() + text.size()));
    int power = 0;
    if (!suffix.empty() && !same(suffix, "B")) {
        const auto at = std::string_view("KMGTPE").find(suffix.front());
        if (at == std::string_view::npos || suffix.size() > 1)
            return std::nullopt;
        power = static_cast<int>(at) + 1;
    }
    if (power == 0) {
        const std::string_view digits(text.data(), end);
        return parse_unsigned(digits); // exact beyond 2^53
    }
    const double bytes = std::ldexp(number, 10 * power);
    if (bytes >= std::ldexp(1.0, 64))
        return std::nullopt;
    return static_cast<std::uint64_t>(bytes);
}

std::optional<std::chrono::microseconds> parse_timespan(std::string_view text) {
    text = trim(text);
    double total = 0;
    if (text.empty())
        return std::nullopt;
    while (!text.empty()) {
        double number = 0;
        const auto [end, error] =
            std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
        if (error != std::errc() || !std::isfinite(number) || number < 0)
            return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
        const std::string_view word = text.substr(0, text.find_first_of(" \t0123456789."));
        std::uint64_t scale = 1000000;
        if (!word.empty()) {
            const auto *const unit = std::ranges::find(time_units, word, &Unit::name);
            if (unit == time_units.end())
                return std::nullopt;
            scale = unit->microseconds;
        }
        total += number * static_cast<double>(scale);
        text.remove_prefix(word.size());
        text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
    }
    if (total >= 9.2e18)
        return std::nullopt;
    return std::chrono::microseconds(std::llround(total));
}

std::optional<int> parse_signal(std::string_view text) {
    if (const auto number = parse_unsigned(text))
        return *number > 0 && *number < NSIG ? std::optional(static_cast<int>(*number)) : std::nullopt;
    if (text.starts_with("SIG"))
        text.remove_prefix(3);
    if (text.starts_with("RTMIN") || text.starts_with("RTMAX")) {
        const bool from_low = text.starts_with("RTMIN");
        const int edge = from_low ? SIGRTMIN : SIGRTMAX;
        text.remove_prefix(5);
        if (text.empty())
            return edge;
        const char sign = text.front();
        const auto offset = parse_unsigned(text.substr(1));
        if (sign != (from_low ? '+' : '-') || !offset || *offset > 64)
            return std::nullopt;
        const int signal = from_low ? edge + static_cast<int>(*offset) : edge - static_cast<int>(*offset);
        return signal >= SIGRTMIN && signal <= SIGRTMAX ? std::optional(signal) : std::nullopt;
    }
    for (int signal = 1; signal < SIGRTMIN; ++signal)
        if (const char *name = ::sigabbrev_np(signal); name != nullptr && text == name)
            return signal;
    return text == "IO" ? std::optional(SIGIO) : std::nullopt;
}

std::vector<std::string> signal_names() {
    std::vector<std::string> names{"0"};
    for (int signal = 1; signal < SIGRTMIN; ++signal) {
        const char *name = signal == SIGIO ? "IO" : ::sigabbrev_np(signal); // which says POLL
        names.push_back(name != nullptr ? name : std::to_string(signal));
    }
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal)
        names.push_back(berth::format("RTMIN+{}", signal - SIGRTMIN));
    return names;
}

std::optional<std::string> parse_id128(std::string_view text) {
    std::string digits;
    const bool dashed = text.size() == 36;
    if (!dashed && text.size() != 32)
        return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (dashed && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (text[i] != '-')
                return std::nullopt;
            continue;
        }
        const char c = text[i] >= 'A' && text[i] <= 'F' ? static_cast<char>(text[i] + 32) : text[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return std::nullopt;
        digits.push_back(c);
    }
    return digits;
}

std::string uuid_of(std::string_view id) {
    return berth::format("{}-{}-{}-{}-{}", id.substr(0, 8), id.substr(8, 4), id.substr(12, 4),
                         id.substr(16, 4), id.substr(20));
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> pieces;
    for (;;) {
        const auto at = text.find(separator);
        pieces.emplace_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return pieces;
        text.remove_prefix(at + 1);
    }
}

std::string_view trim(std::string_view text) noexcept {
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view> &candidates) {
    std::optional<std::string_view> best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        // Levenshtein distance, one row at a time.
        std::vector<std::size_t> row(candidate.size() + 1);
        std::iota(row.begin(), row.end(), std::size_t{0});
        for (std::size_t i = 0; i < word.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i + 1;
            for (std::size_t j = 0; j < candidate.size(); ++j) {
                const std::size_t above = row[j + 1];
                row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (word[i] == candidate[j] ? 0 : 1)});
                diagonal = above;
            }
        }
        if (row.back() < best_distance) {
            best_distance = row.back();
            best = candidate;
        }
    }
    return best;
}

} // namespace berth
