// SPDX-License-Identifier: LGPL-2.1-or-later
// What a machine's network is to be made of, and how the launcher and berth-network tell each
// other. See "Networking Options" in systemd-nspawn(1) for what each thing is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_fwd.hpp"

namespace berth::network {

/// A link's name on the host and its name in the machine. An empty name inside stands for the one
/// that follows from the host's: the same, or with mv- or iv- before it.
using NamePair = std::pair<std::string, std::string>;

/// A port of the host that leads to one of the machine.
struct Port {
    enum class Protocol : std::uint8_t { tcp, udp };
    Protocol protocol = Protocol::tcp;
    std::uint16_t host = 0;
    std::uint16_t machine = 0;

    friend bool operator==(const Port &, const Port &) = default;
};

struct Plan {
    bool veth = false;  ///< host0 inside, ve-NAME outside
    std::string bridge; ///< an existing bridge for its host end, which is then vb-NAME; implies veth
    std::string zone;   ///< the same with the managed bridge vz-ZONE
    std::vector<NamePair> veth_extra;
    std::vector<NamePair> interfaces; ///< of the host, given to the machine while it runs
    std::vector<NamePair> macvlan;
    std::vector<NamePair> ipvlan;
    std::vector<Port> ports;

    [[nodiscard]] bool has_veth() const { return veth || !bridge.empty() || !zone.empty(); }
    /// Whether there is anything to set up. Ports alone need no links, only an Exposure.
    [[nodiscard]] bool wanted() const;

    friend bool operator==(const Plan &, const Plan &) = default;
};

/// Throws Error when the plan contradicts itself or holds a name that no link can have.
void check(const Plan &plan);

/// An interface of the host that is in the machine: the name it had, and the index it has there.
/// A machine can rename what it was given, but not renumber it.
struct Moved {
    std::string name;
    int index = 0;

    friend bool operator==(const Moved &, const Moved &) = default;
};

/// What setting up made.
struct Links {
    std::vector<int> interfaces; ///< indices of the host's ends
    std::vector<Moved> moved;

    friend bool operator==(const Links &, const Links &) = default;
};

/// What berth-network is asked for, as one line of JSON.
struct Request {
    std::string machine;
    int netns = -1;           ///< descriptor of the machine's network namespace
    int log = 2;              ///< descriptor for warnings
    Plan plan;                ///< its members stand beside the others
    std::vector<Moved> moved; ///< for release
};

void to_json(Json &object, const Plan &plan);
void from_json(const Json &object, Plan &plan);

[[nodiscard]] std::string request_text(const Request &request);
[[nodiscard]] std::string links_text(const Links &links);

/// Throw Error when `text` is not what they read. A request is checked, too.
[[nodiscard]] Request parse_request(std::string_view text);
[[nodiscard]] Links parse_links(std::string_view text);

} // namespace berth::network
