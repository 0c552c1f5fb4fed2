// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/names.hpp"

#include <algorithm>

#include "base/io.hpp"
#include "base/parse.hpp"

namespace berth::network {

namespace {

/// FNV-1a, whose bits are mixed well at the end (as MurmurHash3 does). It must never change: names
/// and addresses that people have written down depend on it.
class Hash {
public:
    /// With its end marked, so that "a", "bc" is not "ab", "c".
    void add(std::string_view text) {
        for (const char c : text)
            add_byte(static_cast<std::uint8_t>(c));
        add_byte(0);
    }
    [[nodiscard]] std::uint64_t value() const {
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccdU;
        mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53U;
        return mixed ^ (mixed >> 33);
    }

private:
    void add_byte(std::uint8_t byte) { state_ = (state_ ^ byte) * 0x100000001b3U; }

    std::uint64_t state_ = 0xcbf29ce484222325U;
};

constexpr std::string_view base32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t hash_digits = 6; // 30 bits: a thousand long names meet with 1 in 2000

} // namespace

bool interface_name_valid(std::string_view name, std::size_t longest) noexcept {
    if (name.empty() || name.size() > longest || name == "." || name == ".." || name == "all"
        || name == "default")
        return false;
    const auto wrong = [](char c) { return c <= ' ' || c == 127 || c == '/' || c == ':' || c == '%'; };
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return std::ranges::none_of(name, wrong) && !std::ranges::all_of(name, digit);
}

std::string shortened(std::string_view name) {
    if (name.size() <= longest_name)
        return std::string(name);
    Hash hash;
    hash.add(name);
    std::string fitting(name.substr(0, longest_name - hash_digits));
    std::uint64_t rest = hash.value();
    for (std::size_t i = 0; i < hash_digits; ++i, rest /= base32.size())
        fitting += base32[rest % base32.size()];
    return fitting;
}

std::string veth_name(std::string_view machine, bool bridged) {
    return (bridged ? "vb-" : "ve-") + std::string(machine);
}

std::string zone_bridge(std::string_view zone) {
    return "vz-" + std::string(zone);
}

Mac stable_mac(std::string_view host_id, std::string_view machine, std::string_view link,
               Side side) noexcept {
    Hash hash;
    for (const std::string_view part : {host_id, machine, link})
        hash.add(part);
    hash.add(side == Side::host ? "host" : "machine");
    Mac mac{};
    std::uint64_t rest = hash.value();
    for (std::uint8_t &byte : mac) {
        byte = static_cast<std::uint8_t>(rest);
        rest >>= 8;
    }
    mac[0] = static_cast<std::uint8_t>((mac[0] & 0xfcU) | 0x02U); // unicast, locally administered
    return mac;
}

std::string host_id() {
    const auto text = read_file_if_there("/etc/machine-id");
    return text ? parse_id128(trim(*text)).value_or("") : "";
}

} // namespace berth::network
