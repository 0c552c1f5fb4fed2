// SPDX-License-Identifier: LGPL-2.1-or-later
// [network], and the namespaces shared with others.
#include <array>

#include "config/network_syntax.hpp"
#include "config/settings_tables.hpp"
#include "config/values.hpp"

namespace berth {

namespace {

using namespace network_syntax;
using values::absolute;
using values::truth;

using C = MachineConfig;
using V = std::string_view;
using O = Origin;
using enum SettingType;
using enum Trust;

// clang-format off
constexpr std::array table{
    // section, key, in .nspawn, option, letter, type, argument, implied, trust, help, apply
    Setting{"network", "private", "Private", "private-network", 0, boolean, "", "yes", privileged, "a network namespace with loopback alone",
        [](C &c, V v, const O &) { c.network.private_network = truth(v); }},
    Setting{"network", "virtual_ethernet", "VirtualEthernet", "network-veth", 'n', boolean, "", "yes", privileged, "a virtual link between host and machine",
        [](C &c, V v, const O &) { c.network.veth = truth(v); }},
    Setting{"network", "virtual_ethernet_extra", "VirtualEthernetExtra", "network-veth-extra", 0, list, "HOST[:INSIDE]", "", privileged, "a further virtual link",
        [](C &c, V v, const O &) { c.network.veth_extra.push_back(link_pair(v)); }},
    Setting{"network", "interface", "Interface*", "network-interface", 0, list, "HOST[:INSIDE]", "", privileged, "move a link of the host into the machine",
        [](C &c, V v, const O &) { c.network.interfaces.push_back(link_pair(v)); }},
    Setting{"network", "macvlan", "MACVLAN*", "network-macvlan", 0, list, "HOST[:INSIDE]", "", privileged, "a macvlan link on a link of the host",
        [](C &c, V v, const O &) { c.network.macvlan.push_back(link_pair(v, "mv-")); }},
    Setting{"network", "ipvlan", "IPVLAN*", "network-ipvlan", 0, list, "HOST[:INSIDE]", "", privileged, "an ipvlan link on a link of the host",
        [](C &c, V v, const O &) { c.network.ipvlan.push_back(link_pair(v, "iv-")); }},
    Setting{"network", "bridge", "Bridge", "network-bridge", 0, text, "LINK", "", privileged, "put the virtual link on this bridge",
        [](C &c, V v, const O &) { c.network.bridge = link_name(v); }},
    Setting{"network", "zone", "Zone", "network-zone", 0, text, "NAME", "", privileged, "put it on the bridge vz-NAME, which comes and goes with its users",
        [](C &c, V v, const O &) { c.network.zone = zone(v); }},
    Setting{"network", "port", "Port", "port", 'p', list, "[PROTOCOL:]PORT[:PORT]", "", privileged, "lead a port of the host to one of the machine",
        [](C &c, V v, const O &) { c.network.ports.push_back(port(v)); }},
    Setting{"network", "namespace_path", "", "network-namespace-path", 0, text, "PATH", "", privileged, "enter the network namespace at this path",
        [](C &c, V v, const O &) { c.network.namespace_path = absolute(v); }},
    Setting{"network", "network_of", "", "network-of", 0, text, "MACHINE|PATH", "", privileged, "share the network namespace of a machine",
        [](C &c, V v, const O &) { c.join.network = machine_or_path(v); }},
    Setting{"exec", "ipc_of", "", "ipc-of", 0, text, "MACHINE|PATH", "", privileged, "share the IPC namespace of a machine",
        [](C &c, V v, const O &) { c.join.ipc = machine_or_path(v); }},
    Setting{"exec", "pid_of", "", "pid-of", 0, text, "MACHINE|PATH", "", privileged, "share the PID namespace of a machine",
        [](C &c, V v, const O &) { c.join.pid = machine_or_path(v); }},
    Setting{"exec", "uts_of", "", "uts-of", 0, text, "MACHINE|PATH", "", privileged, "share the host name of a machine",
        [](C &c, V v, const O &) { c.join.uts = machine_or_path(v); }},
};
// clang-format on

} // namespace

std::span<const Setting> tables::network() {
    return table;
}

} // namespace berth
