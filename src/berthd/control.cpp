// SPDX-License-Identifier: LGPL-2.1-or-later
// How machines go, and what can be done to them meanwhile.
#include <algorithm>
#include <csignal>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "berthd/log.hpp"
#include "berthd/operations.hpp"
#include "bus/errors.hpp"
#include "systemd/process.hpp"

namespace berth {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto manage_machines = "org.berth1.manage-machines";
constexpr auto open_leader_action = "org.berth1.open-leader";

/// For a scope, whose processes are killed, and for a service, which may take the default
/// TimeoutStopSec= of 90 s twice.
constexpr auto scope_patience = seconds(30);
constexpr auto service_patience = seconds(200);

/// How long the rest of a machine may take to follow its leader. The kernel kills what is in the
/// leader's pid namespace, and a supervisor in the unit reports the end.
constexpr auto grace = milliseconds(250);

/// True when the cgroup that a machine had is there, or nothing is known of it. An empty one is an
/// end that systemd did not notice: it happens when the leader dies while the scope is made.
bool is_rest(const process::Cgroup &cgroup) {
    return cgroup.path.empty() || process::is_there(cgroup);
}

} // namespace

MachinePtr Operations::get(const std::string &name) {
    MachinePtr machine = registry_.by_name(name);
    if (!machine)
        throw bus_error::make(bus_error::no_such_machine, "no machine \"{}\" is there", name);
    return machine;
}

Task<void> Operations::unregister(Caller caller, std::string name) {
    const MachinePtr machine = get(name);
    co_await authority_.require(std::move(caller), manage_machines, name);
    machine->record.own_unit = false; // it runs on, and is no longer ours to end
    registry_.remove(machine);
}

Task<void> Operations::terminate(Caller caller, std::string name) {
    const MachinePtr machine = get(name);
    co_await authority_.require(std::move(caller), manage_machines, name);
    co_await end(machine);
}

/// Kills what is in the machine and stops its unit; returns when both are gone.
Task<void> Operations::end(MachinePtr machine) {
    const Record &record = machine->record;
    const auto deadline = Clock::now() + (record.own_unit ? scope_patience : service_patience);
    const Outcome<Done> ended;
    if (registry_.by_name(record.name) != machine)
        co_return; // it ended by itself
    machine->mourners.push_back(ended);
    registry_.set_state(*machine, Machine::State::closing);

    // A scope holds nothing but the machine. In a service there is a supervisor: the leader's
    // death ends it, and stopping the unit keeps Restart= from beginning anew.
    pidfd::send_signal(machine->leader.get(), SIGKILL);
    if (record.own_unit) // should this fail, the stop will not
        tasks_.begin(systemd_.kill_unit(record.unit, SIGKILL, deadline));
    co_await systemd_.stop_unit(record.unit, deadline);

    const Timer limit(loop_, deadline, [ended, name = record.name] {
        ended.fail_with(bus_error::make(bus_error::timeout, "machine \"{}\": its leader does not die", name));
    });
    co_await ended;
    // The supervisor of a service calls this end a failure; who asked for it does not.
    if (!record.own_unit)
        systemd_.reset_failed(record.unit);
}

Task<void> Operations::kill(Caller caller, std::string name, std::string whom, int signal) {
    if (signal <= 0 || signal >= NSIG)
        throw bus_error::make(bus_error::invalid_args, "machine \"{}\": {} is not a signal", name, signal);
    if (whom != "leader" && whom != "all")
        throw bus_error::make(bus_error::invalid_args,
                              R"(machine "{}": whom to signal is "leader" or "all", not "{}")", name, whom);
    const MachinePtr machine = get(name);
    co_await authority_.require(std::move(caller), manage_machines, name);
    if (whom == "all")
        co_await systemd_.kill_unit(machine->record.unit, signal, Clock::now() + scope_patience);
    else if (!pidfd::send_signal(machine->leader.get(), signal))
        throw bus_error::make(bus_error::no_such_machine, "machine \"{}\": its leader has exited", name);
}

Task<sdbus::UnixFd> Operations::open_leader(Caller caller, std::string name) {
    const MachinePtr machine = get(name);
    co_await authority_.require(std::move(caller), open_leader_action, name);
    co_return sdbus::UnixFd(machine->leader.get());
}

void Operations::sweep(std::string unit, process::Cgroup cgroup) {
    tasks_.start(sweep_later(leftovers_.emplace(std::move(unit), std::move(cgroup))));
}

Task<void> Operations::sweep_later(Leftovers::iterator leftover) {
    const auto [unit, cgroup] = *leftover;
    try {
        const Outcome<Done> waited;
        const Timer timer(loop_, Clock::now() + grace, [waited] { waited.give({}); });
        co_await waited;
        // Another machine may have taken the name by now; what was left over is gone then.
        if (!registry_.by_unit(unit) && is_rest(cgroup)) {
            const auto deadline = Clock::now() + scope_patience;
            tasks_.begin(systemd_.kill_unit(unit, SIGKILL, deadline));
            co_await systemd_.stop_unit(unit, deadline);
        }
    } catch (const std::exception &error) {
        log::warning("ending what a machine left in {}: {}", unit, error.what());
    }
    leftovers_.erase(leftover);
}

bool Operations::is_left_over(const std::string &unit) const {
    const auto [begin, end] = leftovers_.equal_range(unit);
    return std::any_of(begin, end, [](const auto &leftover) { return is_rest(leftover.second); });
}

} // namespace berth
