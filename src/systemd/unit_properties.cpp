// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/unit_properties.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "systemd/ip_prefix.hpp"

namespace berth::unit_properties {

namespace {

constexpr std::uint64_t infinity = std::numeric_limits<std::uint64_t>::max();

enum class Type : std::uint8_t {
    boolean,
    text,
    bytes,          ///< 64M, infinity; a percentage becomes NAMEScale
    count,          ///< 100, infinity; a percentage becomes NAMEScale
    weight,         ///< 1 to 10000, or idle
    span,           ///< 5s, infinity; sent as NAMEUSec without a trailing Sec
    quota,          ///< 20%, sent as CPUQuotaPerSecUSec
    signal,         ///< SIGTERM
    list,           ///< words between blanks
    cpus,           ///< 0-3,5: a bit mask
    device,         ///< /dev/null rw
    throughput,     ///< /dev/sda 10M
    device_weight,  ///< /dev/sda 100
    device_latency, ///< /dev/sda 25ms, sent as NAMEUSec without a trailing Sec
    networks,       ///< 192.0.2.0/24 localhost
    share,          ///< 20%: sent as a part of the largest 32-bit number
};

struct Property {
    std::string_view name;
    Type type;
};

// clang-format off
constexpr std::array properties{
    Property{"Description", Type::text}, Property{"Slice", Type::text},
    Property{"CollectMode", Type::text}, Property{"KillMode", Type::text},
    Property{"KillSignal", Type::signal}, Property{"FinalKillSignal", Type::signal},
    Property{"SendSIGHUP", Type::boolean}, Property{"SendSIGKILL", Type::boolean},
    Property{"RuntimeMaxSec", Type::span}, Property{"TimeoutStopSec", Type::span},
    Property{"OOMPolicy", Type::text}, Property{"Delegate", Type::boolean},
    Property{"User", Type::text}, Property{"DefaultDependencies", Type::boolean},
    Property{"After", Type::list}, Property{"Before", Type::list}, Property{"Wants", Type::list},
    Property{"Requires", Type::list}, Property{"BindsTo", Type::list}, Property{"PartOf", Type::list},
    Property{"Conflicts", Type::list}, Property{"Documentation", Type::list},
    Property{"CPUAccounting", Type::boolean}, Property{"MemoryAccounting", Type::boolean},
    Property{"TasksAccounting", Type::boolean}, Property{"IOAccounting", Type::boolean},
    Property{"IPAccounting", Type::boolean},
    Property{"CPUWeight", Type::weight}, Property{"StartupCPUWeight", Type::weight},
    Property{"IOWeight", Type::weight}, Property{"StartupIOWeight", Type::weight},
    Property{"CPUQuota", Type::quota}, Property{"CPUQuotaPeriodSec", Type::span},
    Property{"AllowedCPUs", Type::cpus}, Property{"AllowedMemoryNodes", Type::cpus},
    Property{"MemoryMin", Type::bytes}, Property{"MemoryLow", Type::bytes},
    Property{"MemoryHigh", Type::bytes}, Property{"MemoryMax", Type::bytes},
    Property{"MemorySwapMax", Type::bytes}, Property{"MemoryZSwapMax", Type::bytes},
    Property{"TasksMax", Type::count},
    Property{"IOReadBandwidthMax", Type::throughput}, Property{"IOWriteBandwidthMax", Type::throughput},
    Property{"IOReadIOPSMax", Type::throughput}, Property{"IOWriteIOPSMax", Type::throughput},
    Property{"DevicePolicy", Type::text}, Property{"DeviceAllow", Type::device},
    Property{"ManagedOOMSwap", Type::text}, Property{"ManagedOOMMemoryPressure", Type::text},
    Property{"ManagedOOMPreference", Type::text}, Property{"ManagedOOMMemoryPressureLimit", Type::share},
    Property{"MemoryPressureWatch", Type::text}, Property{"MemoryPressureThresholdSec", Type::span},
    Property{"DisableControllers", Type::list},
    Property{"StartupAllowedCPUs", Type::cpus}, Property{"StartupAllowedMemoryNodes", Type::cpus},
    Property{"DefaultMemoryMin", Type::bytes}, Property{"DefaultMemoryLow", Type::bytes},
    Property{"StartupMemoryLow", Type::bytes}, Property{"StartupMemoryHigh", Type::bytes},
    Property{"StartupMemoryMax", Type::bytes}, Property{"StartupMemorySwapMax", Type::bytes},
    Property{"StartupMemoryZSwapMax", Type::bytes},
    Property{"IODeviceWeight", Type::device_weight}, Property{"IODeviceLatencyTargetSec", Type::device_latency},
    Property{"IPAddressAllow", Type::networks}, Property{"IPAddressDeny", Type::networks},
};
// clang-format on

void check(int result) {
    if (result < 0)
        fail_code(-result, "putting a unit property into a message");
}

template <class... Args>
void append_variant(sd_bus_message *message, const std::string &name, const char *type, Args... args) {
    check(::sd_bus_message_append(message, "(sv)", name.c_str(), type, args...));
}

/// 0.0 to 1.0 when `value` is a percentage.
std::optional<double> parse_share(std::string_view value) {
    if (!value.ends_with('%'))
        return std::nullopt;
    value.remove_suffix(1);
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number) || number < 0)
        return std::nullopt;
    return number / 100;
}

void append_amount(sd_bus_message *message, const std::string &name, std::string_view value, bool bytes) {
    if (value == "infinity")
        return append_variant(message, name, "t", infinity);
    if (const auto share = parse_share(value)) {
        if (*share > 1)
            fail("{} is more than there is", value);
        const auto scale = static_cast<std::uint32_t>(*share * std::numeric_limits<std::uint32_t>::max());
        return append_variant(message, name + "Scale", "u", scale);
    }
    const auto amount = bytes ? parse_size(value) : parse_unsigned(value);
    if (!amount)
        fail("\"{}\" is not {}", value, bytes ? "a size in bytes (64M, 1G, 20%, infinity)" : "a number");
    append_variant(message, name, "t", *amount);
}

void append_span(sd_bus_message *message, std::string_view name, std::string_view value) {
    const std::string property = std::string(name.substr(0, name.size() - 3)) + "USec";
    if (value == "infinity")
        return append_variant(message, property, "t", infinity);
    const auto span = parse_timespan(value);
    if (!span)
        fail("\"{}\" is not a time span", value);
    append_variant(message, property, "t", static_cast<std::uint64_t>(span->count()));
}

void append_strings(sd_bus_message *message, const std::string &name, std::string_view value) {
    check(::sd_bus_message_open_container(message, 'r', "sv"));
    check(::sd_bus_message_append(message, "s", name.c_str()));
    check(::sd_bus_message_open_container(message, 'v', "as"));
    check(::sd_bus_message_open_container(message, 'a', "s"));
    for (const std::string &word : split(value, ' '))
        if (!word.empty())
            check(::sd_bus_message_append(message, "s", word.c_str()));
    for (int level = 0; level < 3; ++level)
        check(::sd_bus_message_close_container(message));
}

/// "0-3,5" as the bit mask that systemd takes.
std::vector<std::uint8_t> parse_cpus(std::string_view value) {
    std::vector<std::uint8_t> mask;
    std::string text(value);
    std::ranges::replace(text, ' ', ',');
    for (const std::string &range : split(text, ',')) {
        if (range.empty())
            continue;
        const auto dash = range.find('-');
        const auto first = parse_unsigned(range.substr(0, dash));
        const auto last = dash == std::string::npos ? first : parse_unsigned(range.substr(dash + 1));
        if (!first || !last || *first > *last || *last > 8191)
            fail("\"{}\" is not a list of CPUs or nodes such as 0-3,5", value);
        mask.resize(std::max<std::size_t>(mask.size(), *last / 8 + 1));
        for (auto bit = *first; bit <= *last; ++bit)
            mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | (1U << (bit % 8)));
    }
    return mask;
}

void append_cpus(sd_bus_message *message, const std::string &name, std::string_view value) {
    const auto mask = parse_cpus(value);
    check(::sd_bus_message_open_container(message, 'r', "sv"));
    check(::sd_bus_message_append(message, "s", name.c_str()));
    check(::sd_bus_message_open_container(message, 'v', "ay"));
    check(::sd_bus_message_append_array(message, 'y', mask.data(), mask.size()));
    check(::sd_bus_message_close_container(message));
    check(::sd_bus_message_close_container(message));
}

std::pair<std::string, std::string> two_words(std::string_view value) {
    const auto at = value.find(' ');
    return {std::string(value.substr(0, at)),
            std::string(at == std::string_view::npos ? "" : trim(value.substr(at)))};
}

void append_throughput(sd_bus_message *message, const std::string &name, std::string_view value) {
    const auto [path, amount] = two_words(value);
    const auto limit = amount == "infinity" ? std::optional(infinity) : parse_size(amount);
    if (!path.starts_with('/') || !limit)
        fail("\"{}\" is not a path and an amount per second", value);
    append_variant(message, name, "a(st)", 1, path.c_str(), *limit);
}

std::uint64_t parse_weight(std::string_view value) {
    const auto weight = value == "idle" ? std::optional<std::uint64_t>(0) : parse_unsigned(value);
    if (!weight || *weight > 10000 || (*weight == 0 && value != "idle"))
        fail("\"{}\" is not a weight from 1 to 10000", value);
    return *weight;
}

void append_device_weight(sd_bus_message *message, const std::string &name, std::string_view value) {
    const auto [path, weight] = two_words(value);
    if (!path.starts_with('/') || weight == "idle")
        fail("\"{}\" is not a path and a weight from 1 to 10000", value);
    append_variant(message, name, "a(st)", 1, path.c_str(), parse_weight(weight));
}

void append_device_latency(sd_bus_message *message, std::string_view name, std::string_view value) {
    const auto [path, span] = two_words(value);
    const auto time = parse_timespan(span);
    if (!path.starts_with('/') || !time)
        fail("\"{}\" is not a path and a time span", value);
    append_variant(message, std::string(name.substr(0, name.size() - 3)) + "USec", "a(st)", 1, path.c_str(),
                   static_cast<std::uint64_t>(time->count()));
}

void append_networks(sd_bus_message *message, const std::string &name, std::string_view value) {
    check(::sd_bus_message_open_container(message, 'r', "sv"));
    check(::sd_bus_message_append(message, "s", name.c_str()));
    check(::sd_bus_message_open_container(message, 'v', "a(iayu)"));
    check(::sd_bus_message_open_container(message, 'a', "(iayu)"));
    for (const std::string &word : split(value, ' ')) {
        if (word.empty())
            continue;
        for (const systemd::IpPrefix &prefix : systemd::ip_prefixes(word)) {
            check(::sd_bus_message_open_container(message, 'r', "iayu"));
            check(::sd_bus_message_append(message, "i", prefix.family));
            check(::sd_bus_message_append_array(message, 'y', prefix.bytes.data(), prefix.bytes.size()));
            check(::sd_bus_message_append(message, "u", prefix.length));
            check(::sd_bus_message_close_container(message));
        }
    }
    for (int level = 0; level < 3; ++level)
        check(::sd_bus_message_close_container(message));
}

void append_typed(sd_bus_message *message, const Property &property, std::string_view value) {
    const std::string name(property.name);
    const std::string text(value);
    switch (property.type) {
    case Type::boolean: {
        const auto truth = parse_bool(value);
        if (!truth)
            fail("\"{}\" is neither yes nor no", value);
        return append_bool(message, name.c_str(), *truth);
    }
    case Type::text: return append_text(message, name.c_str(), text.c_str());
    case Type::bytes: return append_amount(message, name, value, true);
    case Type::count: return append_amount(message, name, value, false);
    case Type::span: return append_span(message, name, value);
    case Type::list: return append_strings(message, name, value);
    case Type::cpus: return append_cpus(message, name, value);
    case Type::throughput: return append_throughput(message, name, value);
    case Type::weight: return append_variant(message, name, "t", parse_weight(value));
    case Type::device_weight: return append_device_weight(message, name, value);
    case Type::device_latency: return append_device_latency(message, name, value);
    case Type::networks: return append_networks(message, name, value);
    case Type::share: {
        const auto share = parse_share(value);
        if (!share || *share > 1)
            fail("\"{}\" is not a percentage up to 100%", value);
        return append_variant(message, name, "u",
                              static_cast<std::uint32_t>(*share * std::numeric_limits<std::uint32_t>::max()));
    }
    case Type::quota: {
        if (value.empty())
            return append_variant(message, "CPUQuotaPerSecUSec", "t", infinity);
        const auto share = parse_share(value);
        if (!share || *share <= 0)
            fail("\"{}\" is not a percentage", value);
        return append_variant(message, "CPUQuotaPerSecUSec", "t",
                              static_cast<std::uint64_t>(*share * 1000000));
    }
    case Type::signal: {
        const auto signal = parse_signal(value);
        if (!signal)
            fail("\"{}\" is not a signal", value);
        return append_variant(message, name, "i", *signal);
    }
    case Type::device: {
        const auto [node, access] = two_words(value);
        return append_variant(message, name, "a(ss)", 1, node.c_str(),
                              access.empty() ? "rwm" : access.c_str());
    }
    }
}

} // namespace

void append(sd_bus_message *message, std::string_view assignment) {
    const auto at = assignment.find('=');
    const std::string_view name = assignment.substr(0, at);
    const std::string_view value = at == std::string_view::npos ? "" : trim(assignment.substr(at + 1));
    const auto *const property = std::ranges::find(properties, name, &Property::name);
    if (property == properties.end()) {
        std::vector<std::string_view> known;
        for (const Property &other : properties)
            known.push_back(other.name);
        const auto near = nearest(name, known);
        fail("unit property \"{}\" is not known{}", name,
             near ? berth::format("; did you mean \"{}\"?", *near) : "");
    }
    try {
        append_typed(message, *property, value);
    } catch (const Error &error) {
        throw Error(berth::format("unit property {}: {}", name, error.what()), error.code());
    }
}

void append_text(sd_bus_message *message, const char *name, const char *value) {
    append_variant(message, name, "s", value);
}

void append_bool(sd_bus_message *message, const char *name, bool value) {
    append_variant(message, name, "b", static_cast<int>(value));
}

void append_pidfd(sd_bus_message *message, const char *name, int pidfd) {
    append_variant(message, name, "ah", 1, pidfd);
}

} // namespace berth::unit_properties
