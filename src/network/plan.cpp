// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/plan.hpp"

#include <algorithm>
#include <functional>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/names.hpp"
#include "network/names.hpp"

namespace berth::network {

namespace {

void require_name(std::string_view name, std::string_view what, std::size_t longest = longest_name) {
    if (!interface_name_valid(name, longest))
        fail("\"{}\" cannot be the name of {}: it takes 1 to {} characters without white space, \"/\", \":\" "
             "and \"%\", and not digits alone",
             name, what, longest);
}

void require_inside(std::string_view name) {
    if (!name.empty())
        require_name(name, "a link in the machine");
}

Json moved_json(const std::vector<Moved> &moved) {
    Json list = Json::array();
    for (const Moved &one : moved)
        list.push_back({one.name, one.index});
    return list;
}

std::vector<Moved> moved_from(const Json &list) {
    std::vector<Moved> moved;
    for (const Json &one : list)
        moved.push_back({.name = one.at(0), .index = one.at(1)});
    return moved;
}

std::uint16_t port_number(const Json &number) {
    const auto wide = number.get<std::int64_t>();
    if (wide < 1 || wide > UINT16_MAX)
        fail("{} is no port number: ports go from 1 to 65535", wide);
    return static_cast<std::uint16_t>(wide);
}

Port port_from(const Json &object) {
    Port port;
    const auto protocol = object.at("protocol").get<std::string>();
    if (protocol != "tcp" && protocol != "udp")
        fail("ports of the protocol \"{}\" cannot be forwarded: only tcp and udp can", protocol);
    port.protocol = protocol == "tcp" ? Port::Protocol::tcp : Port::Protocol::udp;
    port.host = port_number(object.at("host"));
    port.machine = port_number(object.at("machine"));
    return port;
}

/// Runs `read` on the JSON in `text`, with the library's errors turned into ours.
template <class Read> auto reading(std::string_view text, std::string_view what, Read read) {
    try {
        return read(parse_json(text));
    } catch (const Json::exception &error) {
        fail("reading {}: {}", what, error.what());
    }
}

} // namespace

bool Plan::wanted() const {
    return has_veth() || !veth_extra.empty() || !interfaces.empty() || !macvlan.empty() || !ipvlan.empty();
}

void check(const Plan &plan) {
    if (!plan.bridge.empty() && !plan.zone.empty())
        fail("the machine's link cannot be on the bridge {} and in the zone {}: choose one", plan.bridge,
             plan.zone);
    if (!plan.bridge.empty())
        require_name(plan.bridge, "a bridge");
    if (!plan.zone.empty())
        require_name(zone_bridge(plan.zone), "a zone's bridge");
    for (const auto &[host, inside] : plan.veth_extra) {
        require_name(host, "a link", longest_alternative_name);
        require_name(inside.empty() ? host : inside, "a link in the machine");
    }
    for (const auto *const links : {&plan.interfaces, &plan.macvlan, &plan.ipvlan})
        for (const auto &[host, inside] : *links) {
            require_name(host, "an interface", longest_alternative_name);
            require_inside(inside);
        }
    for (auto at = plan.ports.begin(); at != plan.ports.end(); ++at)
        if (std::any_of(plan.ports.begin(), at, [&](const Port &port) {
                return port.protocol == at->protocol && port.host == at->host;
            }))
            fail("port {} of the host is forwarded twice: leave one of them out", at->host);
}

void to_json(Json &object, const Plan &plan) {
    object = {{"veth", plan.veth},
              {"bridge", plan.bridge},
              {"zone", plan.zone},
              {"veth_extra", plan.veth_extra},
              {"interfaces", plan.interfaces},
              {"macvlan", plan.macvlan},
              {"ipvlan", plan.ipvlan},
              {"ports", Json::array()}};
    for (const Port &port : plan.ports)
        object["ports"].push_back({{"protocol", port.protocol == Port::Protocol::tcp ? "tcp" : "udp"},
                                   {"host", port.host},
                                   {"machine", port.machine}});
}

void from_json(const Json &object, Plan &plan) {
    const Plan none;
    plan.veth = object.value("veth", false);
    plan.bridge = object.value("bridge", std::string());
    plan.zone = object.value("zone", std::string());
    plan.veth_extra = object.value("veth_extra", none.veth_extra);
    plan.interfaces = object.value("interfaces", none.interfaces);
    plan.macvlan = object.value("macvlan", none.macvlan);
    plan.ipvlan = object.value("ipvlan", none.ipvlan);
    plan.ports.clear();
    if (const auto ports = object.find("ports"); ports != object.end())
        std::ranges::transform(*ports, std::back_inserter(plan.ports), port_from);
}

std::string request_text(const Request &request) {
    Json object = request.plan;
    object["machine"] = request.machine;
    object["netns"] = request.netns;
    object["log"] = request.log;
    object["moved"] = moved_json(request.moved);
    return json_text(object);
}

std::string links_text(const Links &links) {
    return json_text({{"interfaces", links.interfaces}, {"moved", moved_json(links.moved)}});
}

Request parse_request(std::string_view text) {
    Request request = reading(text, "the request for a network", [](const Json &object) {
        return Request{.machine = object.at("machine"),
                       .netns = object.at("netns"),
                       .log = object.value("log", 2),
                       .plan = object.get<Plan>(),
                       .moved = moved_from(object.value("moved", Json::array()))};
    });
    require_machine_name(request.machine);
    check(request.plan);
    return request;
}

Links parse_links(std::string_view text) {
    return reading(text, "what berth-network has set up", [](const Json &object) {
        return Links{.interfaces = object.at("interfaces"), .moved = moved_from(object.at("moved"))};
    });
}

} // namespace berth::network
