// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/expose.hpp"

#include <linux/rtnetlink.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <set>
#include <string>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "network/addresses.hpp"
#include "network/links.hpp"
#include "network/lock.hpp"
#include "network/log.hpp"
#include "network/loopback.hpp"
#include "network/ownership.hpp"
#include "network/table.hpp"

namespace berth::network {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Changes come in bursts, and a machine may make them as fast as it likes: they are looked at
/// together, after this long or ten times as long as looking took.
constexpr Clock::duration settling = 50ms;
/// A machine may have its address before the host has the route to it.
constexpr Clock::duration patience = 10s;

constexpr const char *ipv4_forwarding = "/proc/sys/net/ipv4/ip_forward";
constexpr const char *ipv6_forwarding = "/proc/sys/net/ipv6/conf/all/forwarding";

bool is_on(const char *setting) {
    const auto text = read_file_if_there(setting);
    return text && trim(*text) != "0";
}

class Exposing {
public:
    explicit Exposing(const Request &request)
        : request_(request), owner_{.machine = request.machine, .netns = namespace_id(request.netns)},
          machine_(request.netns), machine_events_(request.netns),
          table_(request.machine, request.plan.ports), claim_(claim_ports(request.plan.ports)),
          loopback_(request.plan.ports) {
        for (const int group : {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR})
            machine_events_.subscribe(group);
        for (const int group : {RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_IFADDR})
            host_events_.subscribe(group);
    }

    void run() {
        allow_forwarding();
        update();
        write_all(STDOUT_FILENO, "ready\n", "stdout");
        while (wait()) {
            if (due_ && Clock::now() >= *due_)
                update();
            if (doubtful_since_ && Clock::now() >= *doubtful_since_ + patience)
                tell_of_doubt();
        }
    }

private:
    void allow_forwarding() {
        try {
            if (!is_on(ipv4_forwarding))
                write_control(ipv4_forwarding, "1");
        } catch (const Error &error) {
            warn(request_.log,
                 berth::format("the host does not forward IPv4, and so other hosts do not reach "
                               "the ports of machine {}: {}",
                               request_.machine, error.what()));
        }
    }

    /// False at the end of stdin.
    bool wait() {
        std::array<pollfd, 3> fds{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{machine_events_.fd(), POLLIN, 0},
                                  pollfd{host_events_.fd(), POLLIN, 0}};
        if (::poll(fds.data(), fds.size(), timeout()) < 0 && errno != EINTR)
            fail_errno("waiting for changes of the network");
        if (fds[1].revents != 0)
            machine_events_.drain();
        if (fds[2].revents != 0)
            host_events_.drain();
        if ((fds[1].revents != 0 || fds[2].revents != 0) && !due_)
            due_ = Clock::now() + pause_;
        return fds[0].revents == 0 || !at_end_of_input();
    }

    [[nodiscard]] int timeout() const {
        std::optional<Clock::time_point> next = due_;
        if (doubtful_since_)
            next = std::min(next.value_or(Clock::time_point::max()), *doubtful_since_ + patience);
        if (!next)
            return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now());
        return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
    }

    static bool at_end_of_input() {
        std::array<char, 4096> ignored{};
        const ssize_t n = ::read(STDIN_FILENO, ignored.data(), ignored.size());
        return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
    }

    void update() {
        const auto begin = Clock::now();
        due_.reset();
        const std::set<int> ways = links_to_machine();
        doubt_.reset();
        const Target target{.ipv4 = choose(AF_INET, ways, target_.ipv4),
                            .ipv6 = choose(AF_INET6, ways, target_.ipv6)};
        if (!doubt_)
            doubtful_since_.reset();
        else if (!doubtful_since_ && told_of_ != doubt_)
            doubtful_since_ = begin;
        if (target != target_) {
            table_.aim(target);
            loopback_.aim(target);
        }
        loopback_.follow_links();
        if (target.ipv6 && !target_.ipv6 && !is_on(ipv6_forwarding))
            tell_of_ipv6();
        target_ = target;
        pause_ = std::max(settling, 10 * (Clock::now() - begin));
    }

    /// The host's ends of the machine's links, and the bridges they are on. None when the machine
    /// has other ways than these, which lead through interfaces that others share.
    std::set<int> links_to_machine() {
        const Plan &plan = request_.plan;
        std::set<int> ways;
        if (!plan.interfaces.empty() || !plan.macvlan.empty() || !plan.ipvlan.empty())
            return ways;
        for (const Link &link : all_links(host_))
            if (owner_in(link.alias) == owner_)
                ways.insert(link.master != 0 ? link.master : link.index);
        return ways;
    }

    /// The address to forward to: the one we have for as long as it is good.
    std::optional<Address> choose(int family, const std::set<int> &ways, const std::optional<Address> &now) {
        auto addresses = usable_addresses(machine_, family);
        if (now && std::erase(addresses, *now) > 0)
            addresses.insert(addresses.begin(), *now);
        for (const Address &address : addresses)
            if (leads_out(host_, address, ways))
                return address;
        if (!addresses.empty() && !doubt_)
            doubt_ = addresses.front();
        return std::nullopt;
    }

    void tell_of_doubt() {
        doubtful_since_.reset();
        if (told_of_ || !doubt_) // once: what addresses a machine takes is its own affair
            return;
        told_of_ = doubt_;
        warn(request_.log,
             berth::format(
                 "no port is forwarded to {}: the host has no route to that address through the links "
                 "of machine {}; give its end of them an address of the same network",
                 doubt_->text(), request_.machine));
    }

    void tell_of_ipv6() {
        if (std::exchange(told_of_ipv6_, true))
            return;
        warn(request_.log,
             berth::format(
                 "the host does not forward IPv6, and so only itself reaches the ports of machine {} by "
                 "it: set net.ipv6.conf.all.forwarding=1 if other hosts shall",
                 request_.machine));
    }

    const Request &request_;
    Owner owner_;
    Netlink host_;
    Netlink host_events_;
    Netlink machine_;
    Netlink machine_events_;
    Table table_;
    unique_fd claim_;
    Loopback loopback_;
    Target target_;
    std::optional<Clock::time_point> due_;
    Clock::duration pause_ = settling;
    std::optional<Address> doubt_; ///< an address that we do not forward to
    std::optional<Address> told_of_;
    std::optional<Clock::time_point> doubtful_since_;
    bool told_of_ipv6_ = false;
};

} // namespace

void expose(const Request &request) {
    Exposing(request).run();
}

} // namespace berth::network
