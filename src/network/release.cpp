// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/release.hpp"

#include <cerrno>
#include <functional>
#include <string>

#include "base/error.hpp"
#include "network/links.hpp"
#include "network/lock.hpp"
#include "network/ownership.hpp"
#include "network/zone.hpp"

namespace berth::network {

namespace {

class Release {
public:
    explicit Release(const Request &request)
        : request_(request), lock_(lock_links()), machine_(request.netns),
          owner_{.machine = request.machine, .netns = namespace_id(request.netns)} {}

    void run() {
        for (const Moved &moved : interfaces())
            attempt([&] { move_out(moved); });
        attempt([this] { remove_links(); });
        if (!request_.plan.zone.empty())
            attempt([this] { remove_zone_if_empty(host_, request_.plan.zone); });
        attempt([this] { sweep_zones(host_); });
        if (!failures_.empty())
            throw Error(failures_);
    }

private:
    /// Those that were moved in; when nobody remembers them, those of the plan, as they were named.
    [[nodiscard]] std::vector<Moved> interfaces() {
        if (!request_.moved.empty())
            return request_.moved;
        std::vector<Moved> planned;
        for (const auto &[host, inside] : request_.plan.interfaces) {
            const auto link = find_link(machine_, inside.empty() ? host : inside);
            planned.push_back({.name = host, .index = link ? link->index : 0});
        }
        return planned;
    }

    void attempt(const std::function<void()> &step) {
        try {
            step();
        } catch (const std::exception &error) {
            failures_ += (failures_.empty() ? "" : "; ") + std::string(error.what());
        }
    }

    void move_out(const Moved &moved) {
        const auto link = moved.index > 0 ? find_link(machine_, moved.index) : std::nullopt;
        if (!link) {
            if (!find_link(host_, moved.name))
                fail("the interface {} that machine {} was given is not in it any more: the kernel gives it "
                     "back once the last of the machine's network namespaces is gone",
                     moved.name, request_.machine);
            return;
        }
        // The machine may have given it a name of one of the host's links, which would keep it there.
        for (const std::string &name : link->alternative_names)
            if (find_link(host_, name))
                (void)remove_alternative_name(machine_, link->index, name);
        if (const int code = move_link(machine_, link->index, home_.get(), moved.name); code != 0)
            fail_code(code, "moving the interface {} back from machine {}{}", moved.name, request_.machine,
                      code == EEXIST ? " (the host has another of that name)" : "");
    }

    void remove_links() {
        for (const Link &link : all_links(host_)) {
            if (link.kind != "veth" || owner_in(link.alias) != owner_)
                continue;
            if (const int code = remove_link(host_, link.index); code != 0 && code != ENODEV)
                fail_code(code, "removing the link {} of machine {}", link.name, request_.machine);
        }
    }

    const Request &request_;
    unique_fd lock_;
    unique_fd home_ = own_namespace();
    Netlink host_;
    Netlink machine_;
    Owner owner_;
    std::string failures_;
};

} // namespace

void release(const Request &request) {
    Release(request).run();
}

} // namespace berth::network
