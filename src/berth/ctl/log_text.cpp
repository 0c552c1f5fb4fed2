// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ctl/log_text.hpp"

#include <syslog.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/format.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "cli/format.hpp"
#include "cli/style.hpp"

namespace berth::cli {

namespace {

constexpr std::uint64_t second = 1000000;

std::string time_as(const char *form, std::uint64_t microseconds) {
    const auto seconds = static_cast<std::time_t>(microseconds / second);
    std::tm parts{};
    std::array<char, 64> buffer{};
    ::localtime_r(&seconds, &parts);
    return {buffer.data(), std::strftime(buffer.data(), buffer.size(), form, &parts)};
}

/// "+0000" as "+00:00".
std::string zone(std::uint64_t microseconds) {
    std::string text = time_as("%z", microseconds);
    return text.size() == 5 ? text.insert(3, ":") : text;
}

std::string time_text(const journal::Entry &entry, const std::string &mode) {
    const std::uint64_t time = entry.realtime;
    const std::uint64_t fraction = time % second;
    if (mode == "short-full")
        return timestamp_text(time);
    if (mode == "short-iso")
        return time_as("%Y-%m-%dT%H:%M:%S", time) + zone(time);
    if (mode == "short-iso-precise")
        return berth::format("{}.{:06}{}", time_as("%Y-%m-%dT%H:%M:%S", time), fraction, zone(time));
    if (mode == "short-precise")
        return berth::format("{}.{:06}", time_as("%b %d %H:%M:%S", time), fraction);
    if (mode == "short-unix")
        return berth::format("{}.{:06}", time / second, fraction);
    if (mode == "short-monotonic")
        return berth::format("[{:5}.{:06}]", entry.monotonic / second, entry.monotonic % second);
    return time_as("%b %d %H:%M:%S", time);
}

std::string coloured(std::string_view text, const std::string &priority) {
    const auto level = parse_unsigned(priority).value_or(LOG_INFO);
    if (level <= LOG_ERR)
        return style::red(text);
    if (level == LOG_WARNING)
        return style::yellow(text);
    return level == LOG_DEBUG ? style::grey(text) : std::string(text);
}

std::string json_entry(const journal::Entry &entry, bool pretty) {
    auto object = Json::object();
    object["__REALTIME_TIMESTAMP"] = std::to_string(entry.realtime);
    object["__MONOTONIC_TIMESTAMP"] = std::to_string(entry.monotonic);
    for (const auto &[name, value] : entry.fields)
        object[name] = value;
    return berth::json_text(object, pretty) + "\n";
}

std::string short_text(const journal::Entry &entry, const std::string &mode, std::size_t columns) {
    std::string who = entry.field("SYSLOG_IDENTIFIER");
    if (who.empty())
        who = entry.field("_COMM");
    std::string pid = entry.field("_PID");
    if (pid.empty())
        pid = entry.field("SYSLOG_PID");
    const std::string head =
        berth::format("{} {} {}{}: ", time_text(entry, mode), style::printable(entry.field("_HOSTNAME")),
                      style::printable(who), pid.empty() ? "" : "[" + style::printable(pid) + "]");
    std::string text;
    for (const std::string &line : split(entry.field("MESSAGE"), '\n')) {
        text += text.empty() ? head : std::string(style::width(head), ' ');
        const std::size_t left = columns - std::min(columns, style::width(head));
        text += coloured(style::shortened(style::printable(line), left), entry.field("PRIORITY")) + "\n";
    }
    return text;
}

} // namespace

std::string log_text(const journal::Entry &entry, const std::string &mode, std::size_t columns) {
    if (mode == "json" || mode == "json-pretty")
        return json_entry(entry, mode == "json-pretty");
    if (mode == "cat")
        return style::printable(entry.field("MESSAGE")) + "\n";
    return short_text(entry, mode, columns);
}

} // namespace berth::cli
