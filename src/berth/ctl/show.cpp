// SPDX-License-Identifier: LGPL-2.1-or-later
// berth show: properties as NAME=value lines, for scripts.
#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/error.hpp"
#include "berth/ctl/client.hpp"
#include "cli/format.hpp"
#include "cli/style.hpp"
#include "cli/verbs.hpp"

namespace berth::cli {

namespace {

/// The order of machinectl(1); what it does not know comes after these.
constexpr std::array order{
    "Name",   "Id",    "Timestamp",     "TimestampMonotonic", "Service",  "Unit",
    "Leader", "Class", "RootDirectory", "NetworkInterfaces",  "VSockCID", "State",
};

std::string number_list(const std::vector<std::int32_t> &numbers) {
    std::string text;
    for (const std::int32_t number : numbers)
        text += berth::format("{}{}", text.empty() ? "" : " ", number);
    return text;
}

/// The types that our interfaces have.
std::string value_text(const std::string &name, const sdbus::Variant &value) {
    const std::string_view type = value.peekValueType();
    if (type == "s")
        return style::printable(value.get<std::string>());
    if (type == "o")
        return value.get<sdbus::ObjectPath>();
    if (type == "u")
        return berth::format("{}", value.get<std::uint32_t>());
    if (type == "i")
        return berth::format("{}", value.get<std::int32_t>());
    if (type == "b")
        return value.get<bool>() ? "yes" : "no";
    if (type == "t") {
        const auto number = value.get<std::uint64_t>();
        return name == "Timestamp" && number != 0 ? timestamp_text(number) : berth::format("{}", number);
    }
    if (type == "ay")
        return id_text(value.get<std::vector<std::uint8_t>>());
    if (type == "ai")
        return number_list(value.get<std::vector<std::int32_t>>());
    return berth::format("(of type {})", type);
}

std::vector<std::pair<std::string, std::string>> in_order(const Properties &properties) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const char *name : order)
        if (const auto found = properties.find(sdbus::PropertyName(name)); found != properties.end())
            rows.emplace_back(name, value_text(name, found->second));
    for (const auto &[name, value] : properties)
        if (!std::ranges::contains(order, std::string_view(name)))
            rows.emplace_back(name, value_text(name, value));
    return rows;
}

void print(const Properties &properties, const Settings &settings) {
    for (const auto &[name, value] : in_order(properties)) {
        const bool asked_for = std::ranges::contains(settings.properties, name);
        if (!settings.properties.empty() && !asked_for)
            continue;
        if (value.empty() && !asked_for && !settings.all)
            continue;
        std::fputs((settings.only_values ? value + "\n" : berth::format("{}={}\n", name, value)).c_str(),
                   stdout);
    }
}

} // namespace

int show(const Invocation &invocation) {
    const auto connection = connect();
    Manager manager(*connection);
    if (invocation.arguments.empty()) {
        print(manager.properties(), invocation.settings);
        return 0;
    }
    bool first = true;
    return for_each_name(invocation.arguments, [&](const std::string &name) {
        const Properties properties = properties_of(*connection, manager.GetMachine(name));
        if (!std::exchange(first, false))
            std::fputs("\n", stdout);
        print(properties, invocation.settings);
    });
}

} // namespace berth::cli
