// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/setup.hpp"

#include <net/if.h>

#include <cerrno>
#include <functional>
#include <ranges>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "network/links.hpp"
#include "network/lock.hpp"
#include "network/log.hpp"
#include "network/ownership.hpp"
#include "network/zone.hpp"

namespace berth::network {

namespace {

/// What was done so far, to be undone backwards unless it is kept.
class Steps {
public:
    explicit Steps(int log) : log_(log) {}
    Steps(const Steps &) = delete;
    Steps &operator=(const Steps &) = delete;
    ~Steps() {
        for (const auto &undo : std::views::reverse(undos_))
            try {
                undo();
            } catch (const std::exception &error) {
                warn(log_, error.what());
            }
    }
    void done(std::function<void()> undo) { undos_.push_back(std::move(undo)); }
    void keep() { undos_.clear(); }

private:
    int log_;
    std::vector<std::function<void()>> undos_;
};

/// Says why the kernel did not make a link.
[[noreturn]] void refuse(int code, std::string_view kind, const std::string &what) {
    if (code == EOPNOTSUPP)
        fail_code(code, "making {}: this kernel has no {} links, which need its module {}", what, kind, kind);
    if (code == EEXIST)
        fail_code(code, "making {}: the machine has a link of that name already; give it another", what);
    if (code == EBUSY)
        fail_code(code, "making {}: the interface below is used in another way, such as by a bridge", what);
    fail_code(code, "making {}", what);
}

class Setup {
public:
    explicit Setup(const Request &request)
        : request_(request), plan_(request.plan), lock_(lock_links()), machine_(request.netns),
          netns_id_(namespace_id(request.netns)), host_id_(network::host_id()), steps_(request.log) {}

    Links run() {
        // In a fresh network namespace, the loopback is the first link there is.
        if (const int code = change_link(machine_, 1, {.up = true}); code != 0)
            fail_code(code, "setting up the machine's loopback");
        if (plan_.has_veth())
            add_own_veth();
        for (const auto &[host, inside] : plan_.veth_extra)
            connect(host, inside.empty() ? host : inside, std::nullopt);
        for (const auto &[host, inside] : plan_.interfaces)
            move_in(host, inside);
        for (const auto &[host, inside] : plan_.macvlan)
            put_on_top(host, inside.empty() ? "mv-" + host : inside, "macvlan");
        for (const auto &[host, inside] : plan_.ipvlan)
            put_on_top(host, inside.empty() ? "iv-" + host : inside, "ipvlan");
        steps_.keep();
        return links_;
    }

private:
    void add_own_veth() {
        std::optional<int> bridge;
        if (!plan_.zone.empty())
            bridge = join_zone();
        else if (!plan_.bridge.empty())
            bridge = existing_bridge();
        connect(veth_name(request_.machine, bridge.has_value()), "host0", bridge);
    }

    int join_zone() {
        const ZoneBridge bridge = ensure_zone(host_, plan_.zone);
        if (bridge.made)
            steps_.done([this] { remove_zone_if_empty(host_, plan_.zone); });
        return bridge.index;
    }

    int existing_bridge() {
        const auto bridge = find_link(host_, plan_.bridge);
        if (!bridge)
            fail("there is no bridge {} to connect machine {} to: make it first, or use a zone", plan_.bridge,
                 request_.machine);
        if (bridge->kind != "bridge")
            fail("machine {} cannot be connected to {}, which is no bridge", request_.machine, plan_.bridge);
        return bridge->index;
    }

    /// A veth between the host, where `name` may be longer than links' names are, and the machine.
    void connect(const std::string &name, const std::string &inside, std::optional<int> bridge) {
        const Veth veth{.host = shortened(name),
                        .host_mac = stable_mac(host_id_, request_.machine, name, Side::host),
                        .machine = inside,
                        .machine_mac = stable_mac(host_id_, request_.machine, inside, Side::machine)};
        make_way(veth.host, veth.host_mac);
        if (name != veth.host)
            make_way(name, veth.host_mac);
        const std::string what = berth::format("the link between {} on the host and {} in machine {}",
                                               veth.host, inside, request_.machine);
        if (const int code = add_veth(host_, veth, request_.netns); code != 0)
            refuse(code, "veth", what);
        const int index = index_of(host_, veth.host, what);
        steps_.done([this, index, what] {
            if (const int code = remove_link(host_, index); code != 0 && code != ENODEV)
                fail_code(code, "removing {}", what);
        });
        const Change change{.alias = alias_of({.machine = request_.machine, .netns = netns_id_}),
                            .master = bridge,
                            .up = true};
        if (const int code = change_link(host_, index, change); code != 0)
            fail_code(code, "setting up {}{}", what, bridge ? " on its bridge" : "");
        if (name != veth.host)
            if (const int code = add_alternative_name(host_, index, name); code != 0)
                fail_code(code, "giving the link {} its full name {}", veth.host, name);
        links_.interfaces.push_back(index);
    }

    /// Removes a link of that name that a former run of the machine has left. A run that was killed
    /// before it could say whose the link is has given it its address; we hold the lock, so that
    /// none is just about to say it.
    void make_way(const std::string &name, const Mac &mac) {
        const auto stale = find_link(host_, name);
        if (!stale)
            return;
        const auto owner = owner_in(stale->alias);
        const bool unfinished = stale->alias.empty() && stale->mac == mac;
        const bool ours = owner && owner->machine == request_.machine;
        if (stale->kind != "veth" || !(ours || unfinished))
            fail("the host has a link {} already, which is not machine {}'s: rename or remove it", name,
                 request_.machine);
        if (ours && namespace_in_use(owner->netns))
            fail("the host's link {} leads to a machine {} that is running: end that first", name,
                 request_.machine);
        if (const int code = remove_link(host_, stale->index); code != 0 && code != ENODEV)
            fail_code(code, "removing the link {} that a former run of machine {} has left", name,
                      request_.machine);
    }

    static int index_of(Netlink &in, const std::string &name, const std::string &what) {
        const auto link = find_link(in, name);
        if (!link)
            fail("making {}: it was removed at once by something else", what);
        return link->index;
    }

    Link interface_of_host(const std::string &name) {
        const auto link = find_link(host_, name);
        if (!link)
            fail("the host has no interface {} for machine {}: it must be there before the machine starts",
                 name, request_.machine);
        if ((link->flags & IFF_LOOPBACK) != 0)
            fail("the host's loopback {} cannot be given to machine {}", name, request_.machine);
        return *link;
    }

    void move_in(const std::string &host, const std::string &inside) {
        const Link link = interface_of_host(host);
        const std::string name = inside.empty() ? link.name : inside;
        const std::string what =
            berth::format("moving the interface {} into machine {} as {}", host, request_.machine, name);
        const int code = move_link(host_, link.index, request_.netns, name);
        if (code == EINVAL)
            fail_code(code, "{}: the kernel keeps interfaces of this kind where they are", what);
        if (code == EEXIST)
            fail_code(code, "{}: the machine has a link of that name already; give it another", what);
        // Moving and renaming are two steps of the kernel's: look where it got to.
        const auto moved = find_link(machine_, code == 0 ? name : link.name);
        if (moved)
            steps_.done([this, link, index = moved->index] {
                if (const int back = move_link(machine_, index, home_.get(), link.name); back != 0)
                    fail_code(back, "moving the interface {} back to the host", link.name);
            });
        if (code != 0)
            fail_code(code, "{}", what);
        links_.moved.push_back({.name = link.name, .index = index_of(machine_, name, what)});
    }

    /// A macvlan or ipvlan link on an interface of the host.
    /// `full` may be longer than links' names are.
    void put_on_top(const std::string &host, const std::string &full, std::string_view kind) {
        const std::string name = shortened(full);
        const Link below = interface_of_host(host);
        const std::string what =
            berth::format("the {} link {} on {} for machine {}", kind, name, host, request_.machine);
        const Mac mac = stable_mac(host_id_, request_.machine, name, Side::machine);
        const int code = kind == "macvlan" ? add_macvlan(host_, below.index, name, mac, request_.netns)
                                           : add_ipvlan(host_, below.index, name, request_.netns);
        if (code != 0)
            refuse(code, kind, what);
        const int index = index_of(machine_, name, what);
        if (name != full)
            if (const int failed = add_alternative_name(machine_, index, full); failed != 0)
                fail_code(failed, "giving {} its other name {}", what, full);
        steps_.done([this, index, what] {
            if (const int removed = remove_link(machine_, index); removed != 0 && removed != ENODEV)
                fail_code(removed, "removing {}", what);
        });
    }

    const Request &request_;
    const Plan &plan_;
    unique_fd lock_;
    unique_fd home_ = own_namespace();
    Netlink host_;
    Netlink machine_;
    std::uint64_t netns_id_;
    std::string host_id_;
    Links links_;
    Steps steps_; // its undoing needs all of the above
};

} // namespace

Links set_up(const Request &request) {
    return Setup(request).run();
}

} // namespace berth::network
