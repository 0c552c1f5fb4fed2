// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/record.hpp"

#include <array>
#include <limits>
#include <set>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"

namespace berth {

namespace {

void append(std::string &text, std::string_view key, std::string_view value) {
    if (!value.empty())
        text += berth::format("{}={}\n", key, c_escape(value));
}

std::uint64_t number(std::string_view value) {
    const auto parsed = parse_unsigned(value);
    if (!parsed)
        fail("\"{}\" is not a number", value);
    return *parsed;
}

pid_t process(std::string_view value) {
    const std::uint64_t pid = number(value);
    if (pid <= 1 || pid > static_cast<std::uint64_t>(std::numeric_limits<pid_t>::max()))
        fail("\"{}\" is not the pid of a machine's leader", value);
    return static_cast<pid_t>(pid);
}

std::string name(std::string value) {
    require_machine_name(value);
    return value;
}

std::string id(std::string_view value) {
    auto digits = parse_id128(value);
    if (!digits)
        fail("\"{}\" is not a 128-bit ID", value);
    return std::move(*digits);
}

std::string kind(std::string value) {
    if (value != "container" && value != "vm")
        fail("\"{}\" is no class of machines", value);
    return value;
}

std::vector<std::int32_t> indices(std::string_view value) {
    std::vector<std::int32_t> all;
    for (const std::string &word : split(value, ' ')) {
        const std::uint64_t index = number(word);
        if (index == 0 || index > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()))
            fail("\"{}\" is not the index of a link", word);
        all.push_back(static_cast<std::int32_t>(index));
    }
    return all;
}

std::string text_of(const std::vector<std::int32_t> &interfaces) {
    std::string text;
    for (const std::int32_t index : interfaces)
        text += berth::format("{}{}", text.empty() ? "" : " ", index);
    return text;
}

void set(Record &record, std::string_view key, std::string value) {
    if (key == "NAME")
        record.name = name(std::move(value));
    else if (key == "SCOPE")
        record.unit = std::move(value);
    else if (key == "OWN_UNIT")
        record.own_unit = value == "1";
    else if (key == "SERVICE")
        record.service = std::move(value);
    else if (key == "ROOT")
        record.root = std::move(value);
    else if (key == "ID")
        record.id = id(value);
    else if (key == "LEADER")
        record.leader = process(value);
    else if (key == "LEADER_PIDFDID")
        record.leader_id = number(value);
    else if (key == "CLASS")
        record.kind = kind(std::move(value));
    else if (key == "REALTIME")
        record.realtime = number(value);
    else if (key == "MONOTONIC")
        record.monotonic = number(value);
    else if (key == "NETIF")
        record.interfaces = indices(value);
}

} // namespace

std::string public_text(const Record &record) {
    std::string text = "# Written by berthd. Read it through libsystemd, sd-login(3).\n";
    append(text, "NAME", record.name);
    append(text, "SCOPE", record.unit);
    append(text, "SERVICE", record.service);
    append(text, "ROOT", record.root);
    append(text, "ID", record.id);
    append(text, "LEADER", std::to_string(record.leader));
    if (record.leader_id != 0) // the name that later versions of systemd-machined have for it
        append(text, "LEADER_PIDFDID", std::to_string(record.leader_id));
    append(text, "CLASS", record.kind);
    append(text, "REALTIME", std::to_string(record.realtime));
    append(text, "MONOTONIC", std::to_string(record.monotonic));
    append(text, "NETIF", text_of(record.interfaces));
    return text;
}

std::string private_text(const Record &record) {
    return public_text(record) + berth::format("OWN_UNIT={:d}\n", record.own_unit);
}

Record parse_record(std::string_view text, std::string_view file) {
    Record record;
    std::set<std::string, std::less<>> seen;
    unsigned line_number = 0;
    for (const std::string &line : split(text, '\n')) {
        ++line_number;
        if (line.empty() || line.starts_with('#'))
            continue;
        const auto at = line.find('=');
        if (at == std::string::npos)
            fail("{}:{}: \"{}\" is not KEY=value", file, line_number, c_escape(line));
        const std::string key = line.substr(0, at);
        try {
            set(record, key, c_unescape(line.substr(at + 1)));
        } catch (const Error &error) {
            fail("{}:{}: {}: {}", file, line_number, key, error.what());
        }
        seen.insert(key);
    }
    for (const std::string_view key : {"NAME", "SCOPE", "LEADER", "CLASS", "OWN_UNIT"})
        if (!seen.contains(key))
            fail("{}:{}: the file ends without {}", file, line_number, key);
    return record;
}

} // namespace berth
