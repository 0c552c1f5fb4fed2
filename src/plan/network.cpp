// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.hpp"
#include "plan/parts.hpp"

namespace berth::plan_parts {

namespace {

std::vector<network::NamePair> pairs_of(const std::vector<LinkPair> &links) {
    std::vector<network::NamePair> pairs;
    for (const LinkPair &link : links)
        pairs.emplace_back(link.host, link.inside);
    return pairs;
}

} // namespace

network::Plan network(const MachineConfig &config) {
    const NetworkConfig &asked = config.network;
    network::Plan plan{.veth = asked.veth,
                       .bridge = asked.bridge,
                       .zone = asked.zone,
                       .veth_extra = pairs_of(asked.veth_extra),
                       .interfaces = pairs_of(asked.interfaces),
                       .macvlan = pairs_of(asked.macvlan),
                       .ipvlan = pairs_of(asked.ipvlan),
                       .ports = {}};
    using Protocol = network::Port::Protocol;
    for (const PortForward &port : asked.ports)
        plan.ports.push_back({.protocol = port.protocol == "udp" ? Protocol::udp : Protocol::tcp,
                              .host = port.host,
                              .machine = port.machine});
    network::check(plan);
    return plan;
}

} // namespace berth::plan_parts
