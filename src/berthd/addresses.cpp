// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/addresses.hpp"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>

#include "base/error.hpp"
#include "base/same_file.hpp"
#include "systemd/process.hpp"

namespace berth::addresses {

namespace {

constexpr char ipv4 = '4';
constexpr char ipv6 = '6';

bool shares_our_network(int pidfd) {
    struct stat ours{};
    struct stat theirs{};
    const unique_fd fd = process::open_proc(pidfd, "ns/net", O_RDONLY);
    if (::fstat(fd.get(), &theirs) < 0 || ::stat("/proc/self/ns/net", &ours) < 0)
        fail_errno("looking at network namespaces");
    return is_same_file(ours, theirs);
}

template <class T> std::string bytes_of(const T &address) {
    return {reinterpret_cast<const char *>(&address), sizeof address}; // NOLINT(*-reinterpret-cast)
}

/// One address as text; empty for those that mean nothing to the host.
std::string encode(const sockaddr &any) {
    if (any.sa_family == AF_INET) {
        sockaddr_in address{};
        std::memcpy(&address, &any, sizeof address);
        const std::uint32_t value = ntohl(address.sin_addr.s_addr);
        const bool link_local = (value & 0xffff0000U) == 0xa9fe0000U; // 169.254.0.0/16
        return link_local ? "" : ipv4 + bytes_of(address.sin_addr);
    }
    if (any.sa_family == AF_INET6) {
        sockaddr_in6 address{};
        std::memcpy(&address, &any, sizeof address);
        return IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr) ? "" : ipv6 + bytes_of(address.sin6_addr);
    }
    return {};
}

} // namespace

std::string join_and_read(int pidfd) {
    if (shares_our_network(pidfd))
        return {};
    if (::setns(pidfd, CLONE_NEWNET) < 0)
        fail_errno("joining its network namespace");
    ifaddrs *list = nullptr;
    if (::getifaddrs(&list) < 0)
        fail_errno("reading its addresses");
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
    std::string text;
    for (const ifaddrs *entry = list; entry != nullptr; entry = entry->ifa_next)
        if (entry->ifa_addr != nullptr && (entry->ifa_flags & IFF_LOOPBACK) == 0)
            text += encode(*entry->ifa_addr);
    return text;
}

std::vector<Address> decode(std::string_view text) {
    std::vector<Address> list;
    while (!text.empty()) {
        const bool long_one = text.front() == ipv6;
        text.remove_prefix(1);
        const std::string_view bytes = text.substr(0, long_one ? sizeof(in6_addr) : sizeof(in_addr));
        list.push_back({.family = long_one ? AF_INET6 : AF_INET, .bytes = {bytes.begin(), bytes.end()}});
        text.remove_prefix(bytes.size());
    }
    return list;
}

} // namespace berth::addresses
