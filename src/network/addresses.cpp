// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/addresses.hpp"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.hpp"

namespace berth::network {

namespace {

bool is_loopback(const Address &address) {
    if (address.family == AF_INET)
        return address.bytes[0] == 127;
    in6_addr raw{};
    std::ranges::copy(address.bytes, std::begin(raw.s6_addr));
    return IN6_IS_ADDR_LOOPBACK(&raw) != 0 || IN6_IS_ADDR_V4MAPPED(&raw) != 0;
}

/// An address and its place in the order of preference, lowest first.
using Ranked = std::pair<int, Address>;

void collect(std::vector<Ranked> &to, nlmsghdr *message, int family) {
    std::array<nlattr *, IFA_MAX + 1> attributes{};
    const auto *header = static_cast<const ifaddrmsg *>(::nlmsg_data(message));
    if (::nlmsg_parse(message, sizeof *header, attributes.data(), IFA_MAX, nullptr) < 0
        || header->ifa_family != family || header->ifa_scope >= RT_SCOPE_LINK)
        return;
    const std::uint32_t flags =
        attributes[IFA_FLAGS] != nullptr ? ::nla_get_u32(attributes[IFA_FLAGS]) : header->ifa_flags;
    if ((flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0)
        return;
    // On a point-to-point link, IFA_ADDRESS is the other end's.
    const nlattr *bytes = attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    Address address{.family = family};
    if (bytes == nullptr || std::cmp_not_equal(::nla_len(bytes), address.size()))
        return;
    ::nla_memcpy(address.bytes.data(), bytes, static_cast<int>(address.size()));
    if (is_loopback(address))
        return;
    const int rank = ((flags & IFA_F_DEPRECATED) != 0 ? 2 : 0) + ((flags & IFA_F_SECONDARY) != 0 ? 1 : 0);
    if (std::ranges::find(to, address, &Ranked::second) == to.end())
        to.emplace_back(rank, address);
}

} // namespace

std::string Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (::inet_ntop(family, bytes.data(), buffer.data(), buffer.size()) == nullptr)
        fail_errno("writing an address");
    return buffer.data();
}

std::vector<Address> usable_addresses(Netlink &machine, int family) {
    constexpr std::size_t most = 64; // a machine may have as many as it likes
    std::vector<Ranked> found;
    machine.dump(RTM_GETADDR, "machine's addresses", [&](nlmsghdr *message) {
        if (found.size() < most)
            collect(found, message, family);
    });
    std::ranges::stable_sort(found, {}, &Ranked::first);
    std::vector<Address> addresses;
    addresses.reserve(found.size());
    for (const auto &[rank, address] : found)
        addresses.push_back(address);
    return addresses;
}

bool leads_out(Netlink &host, const Address &address, const std::set<int> &ways) {
    MessagePtr message =
        make_message(RTM_GETROUTE, rtmsg{.rtm_family = static_cast<unsigned char>(address.family),
                                         .rtm_dst_len = static_cast<unsigned char>(address.size() * 8)});
    if (::nla_put(message.get(), RTA_DST, static_cast<int>(address.size()), address.bytes.data()) < 0)
        throw std::bad_alloc();
    bool out = false;
    const int code = host.request(std::move(message), [&](nlmsghdr *answer) {
        const auto *route = static_cast<const rtmsg *>(::nlmsg_data(answer));
        const nlattr *link = ::nlmsg_find_attr(answer, sizeof *route, RTA_OIF);
        out = route->rtm_type == RTN_UNICAST && link != nullptr
              && (ways.empty() || ways.contains(static_cast<int>(::nla_get_u32(link))));
    });
    return code == 0 && out; // an address without a route is an error of the kernel's
}

} // namespace berth::network
