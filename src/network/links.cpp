// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/links.hpp"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/ipvlan.h>
#include <netlink/route/link/macvlan.h>
#include <netlink/route/link/veth.h>

#include <array>
#include <cerrno>
#include <map>

#include "base/error.hpp"

namespace berth::network {

namespace {

using AddressPtr = std::unique_ptr<nl_addr, NetlinkReleases<nl_addr_put>>;
using LinkPtr = std::unique_ptr<rtnl_link, NetlinkReleases<rtnl_link_put>>;
using Attributes = std::array<nlattr *, IFLA_MAX + 1>;

std::string text(const nlattr *attribute) {
    return attribute == nullptr ? std::string() : ::nla_get_string(attribute);
}

std::vector<std::string> alternative_names(nlattr *list) {
    std::vector<std::string> names;
    if (list == nullptr)
        return names;
    int left = ::nla_len(list);
    for (auto *at = static_cast<nlattr *>(::nla_data(list)); ::nla_ok(at, left) != 0;
         at = ::nla_next(at, &left))
        if (::nla_type(at) == IFLA_ALT_IFNAME)
            names.emplace_back(::nla_get_string(at));
    return names;
}

std::string kind_of(nlattr *info) {
    std::array<nlattr *, IFLA_INFO_MAX + 1> parts{};
    if (info == nullptr || ::nla_parse_nested(parts.data(), IFLA_INFO_MAX, info, nullptr) < 0)
        return {};
    return text(parts[IFLA_INFO_KIND]);
}

Link link_from(nlmsghdr *message) {
    constexpr int mac_size = std::tuple_size_v<Mac>;
    Attributes attributes{};
    if (::nlmsg_parse(message, sizeof(ifinfomsg), attributes.data(), IFLA_MAX, nullptr) < 0)
        fail("the kernel's description of a link cannot be read");
    const auto *header = static_cast<const ifinfomsg *>(::nlmsg_data(message));
    Link link{.index = header->ifi_index,
              .name = text(attributes[IFLA_IFNAME]),
              .alternative_names = alternative_names(attributes[IFLA_PROP_LIST]),
              .kind = kind_of(attributes[IFLA_LINKINFO]),
              .alias = text(attributes[IFLA_IFALIAS]),
              .flags = header->ifi_flags};
    if (const nlattr *mac = attributes[IFLA_ADDRESS]; mac != nullptr && ::nla_len(mac) == mac_size)
        ::nla_memcpy(link.mac.data(), mac, mac_size);
    if (const nlattr *master = attributes[IFLA_MASTER]; master != nullptr)
        link.master = static_cast<int>(::nla_get_u32(master));
    return link;
}

MessagePtr message_on(int type, int index, unsigned flags = 0) {
    return make_message(
        type,
        ifinfomsg{.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = flags, .ifi_change = flags});
}

std::optional<Link> get(Netlink &in, MessagePtr message, std::string_view what) {
    std::optional<Link> link;
    const int code = in.request(std::move(message), [&link](nlmsghdr *answer) { link = link_from(answer); });
    if (code != 0 && code != ENODEV)
        fail_code(code, "looking at the link {}", what);
    return link;
}

void set_mac(rtnl_link *link, const Mac &mac) {
    const AddressPtr address(made(::nl_addr_build(AF_LLC, mac.data(), mac.size())));
    ::rtnl_link_set_addr(link, address.get());
}

int add(Netlink &in, rtnl_link *link) {
    nl_msg *message = nullptr;
    if (::rtnl_link_build_add_request(link, NLM_F_CREATE | NLM_F_EXCL, &message) < 0)
        throw std::bad_alloc();
    return in.request(MessagePtr(message));
}

/// An alternative name is a property in a list of them.
int change_alternative_name(Netlink &in, int type, int index, std::string_view name) {
    MessagePtr message = message_on(type, index);
    nlattr *list = made(::nla_nest_start(message.get(), IFLA_PROP_LIST));
    put(message.get(), IFLA_ALT_IFNAME, name);
    ::nla_nest_end(message.get(), list);
    return in.request(std::move(message));
}

} // namespace

std::optional<Link> find_link(Netlink &in, std::string_view name) {
    MessagePtr message = message_on(RTM_GETLINK, 0);
    put(message.get(), name.size() <= longest_name ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
    return get(in, std::move(message), name);
}

std::optional<Link> find_link(Netlink &in, int index) {
    return get(in, message_on(RTM_GETLINK, index), std::to_string(index));
}

std::vector<Link> all_links(Netlink &in) {
    std::map<int, Link> by_index; // a dump that was disturbed begins anew
    in.dump(RTM_GETLINK, "links", [&by_index](nlmsghdr *message) {
        Link link = link_from(message);
        by_index.insert_or_assign(link.index, std::move(link));
    });
    std::vector<Link> links;
    links.reserve(by_index.size());
    for (auto &[index, link] : by_index)
        links.push_back(std::move(link));
    return links;
}

int add_veth(Netlink &in, const Veth &veth, int netns) {
    const LinkPtr link(made(::rtnl_link_veth_alloc()));
    ::rtnl_link_set_name(link.get(), veth.host.c_str());
    set_mac(link.get(), veth.host_mac);
    const LinkPtr peer(::rtnl_link_veth_get_peer(link.get()));
    ::rtnl_link_set_name(peer.get(), veth.machine.c_str());
    set_mac(peer.get(), veth.machine_mac);
    ::rtnl_link_set_ns_fd(peer.get(), netns);
    return add(in, link.get());
}

int add_macvlan(Netlink &in, int below, const std::string &name, const Mac &mac, int netns) {
    const LinkPtr link(made(::rtnl_link_macvlan_alloc()));
    ::rtnl_link_set_name(link.get(), name.c_str());
    ::rtnl_link_set_link(link.get(), below);
    set_mac(link.get(), mac);
    ::rtnl_link_set_ns_fd(link.get(), netns);
    ::rtnl_link_macvlan_set_mode(link.get(), MACVLAN_MODE_BRIDGE);
    return add(in, link.get());
}

int add_ipvlan(Netlink &in, int below, const std::string &name, int netns) {
    const LinkPtr link(made(::rtnl_link_ipvlan_alloc()));
    ::rtnl_link_set_name(link.get(), name.c_str());
    ::rtnl_link_set_link(link.get(), below);
    ::rtnl_link_set_ns_fd(link.get(), netns);
    ::rtnl_link_ipvlan_set_mode(link.get(), IPVLAN_MODE_L2);
    return add(in, link.get());
}

int add_bridge(Netlink &in, const std::string &name, const Mac &mac) {
    const LinkPtr link(made(::rtnl_link_alloc()));
    ::rtnl_link_set_type(link.get(), "bridge");
    ::rtnl_link_set_name(link.get(), name.c_str());
    set_mac(link.get(), mac);
    return add(in, link.get());
}

int change_link(Netlink &in, int index, const Change &change) {
    MessagePtr message = message_on(RTM_SETLINK, index, change.up ? unsigned{IFF_UP} : 0U);
    if (change.alias)
        put(message.get(), IFLA_IFALIAS, *change.alias);
    if (change.master)
        put(message.get(), IFLA_MASTER, static_cast<std::uint32_t>(*change.master));
    return in.request(std::move(message));
}

int add_alternative_name(Netlink &in, int index, std::string_view name) {
    return change_alternative_name(in, RTM_NEWLINKPROP, index, name);
}

int remove_alternative_name(Netlink &in, int index, std::string_view name) {
    return change_alternative_name(in, RTM_DELLINKPROP, index, name);
}

int move_link(Netlink &in, int index, int netns, std::string_view name) {
    MessagePtr message = message_on(RTM_SETLINK, index);
    put(message.get(), IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
    put(message.get(), IFLA_IFNAME, name);
    return in.request(std::move(message));
}

int remove_link(Netlink &in, int index) {
    return in.request(message_on(RTM_DELLINK, index));
}

} // namespace berth::network
