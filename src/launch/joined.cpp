// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/joined.hpp"

#include <fcntl.h>
#include <sched.h>

#include <limits>

#include "base/env_file.hpp"
#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "systemd/process.hpp"

namespace berth::joined {

namespace {

/// A pidfd of the machine's leader, as /run/systemd/machines tells of it: berthd's word or machined's.
unique_fd open_leader(const std::string &machine, const std::string &origin) {
    const auto text = read_file_if_there("/run/systemd/machines/" + machine);
    if (!text)
        fail("{}: no machine \"{}\" is running", origin, machine);
    auto state = parse_env_file(*text);
    const auto pid = parse_unsigned(state["LEADER"]);
    if (!pid || *pid == 0 || *pid > std::numeric_limits<pid_t>::max())
        fail("{}: it is not known which process leads machine \"{}\"", origin, machine);
    unique_fd leader = process::open_leader({.pid = static_cast<pid_t>(*pid),
                                             .id = parse_unsigned(state["LEADER_PIDFDID"]).value_or(0),
                                             .unit = state["SCOPE"]});
    if (!leader)
        fail("{}: machine \"{}\" has ended", origin, machine);
    return leader;
}

/// `kind` as in /proc/PID/ns.
namespaces::Target open_one(const JoinedNamespace &joined, std::uint64_t flag, const std::string &kind) {
    namespaces::Target target{.fd = {}, .what = joined.path, .flag = flag};
    if (joined.machine.empty()) {
        target.fd.reset(::open(joined.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        if (!target.fd)
            fail_errno("{}: opening the namespace {}", joined.origin, joined.path);
        return target;
    }
    target.what = berth::format("the {} namespace of machine {}", kind, joined.machine);
    try {
        const unique_fd leader = open_leader(joined.machine, joined.origin);
        target.fd = process::open_proc(leader.get(), "ns/" + kind, O_RDONLY);
    } catch (const Error &error) {
        if (error.code() != 0)
            throw Error(berth::format("{}: machine \"{}\": {}", joined.origin, joined.machine, error.what()),
                        error.code());
        throw;
    }
    return target;
}

} // namespace

std::vector<namespaces::Target> open(const JoinPlan &plan) {
    std::vector<namespaces::Target> targets;
    const auto add = [&](const JoinedNamespace &joined, std::uint64_t flag, const char *kind) {
        if (!joined.empty())
            targets.push_back(open_one(joined, flag, kind));
    };
    add(plan.network, CLONE_NEWNET, "net");
    add(plan.ipc, CLONE_NEWIPC, "ipc");
    add(plan.uts, CLONE_NEWUTS, "uts");
    add(plan.pid, CLONE_NEWPID, "pid");
    return targets;
}

} // namespace berth::joined
