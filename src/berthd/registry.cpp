// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/registry.hpp"

#include <sys/epoll.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "berthd/log.hpp"
#include "systemd/process.hpp"

namespace berth {

const char *state_name(Machine::State state) noexcept {
    switch (state) {
    case Machine::State::opening: return "opening";
    case Machine::State::running: return "running";
    case Machine::State::closing: break;
    }
    return "closing";
}

Registry::Registry(sd_event *loop, StateFolder files, Observer &observer)
    : loop_(loop), files_(std::move(files)), observer_(observer) {
}

std::vector<Record> Registry::restore() {
    std::vector<Record> gone;
    for (Record &record : files_.load()) {
        unique_fd leader =
            process::open_leader({.pid = record.leader, .id = record.leader_id, .unit = record.unit});
        if (!leader || by_unit_.contains(record.unit)) {
            files_.remove(record);
            gone.push_back(std::move(record));
            continue;
        }
        const auto machine = std::make_shared<Machine>();
        machine->cgroup = process::cgroup_at(process::place_of(leader.get(), record.leader).cgroup);
        machine->leader = std::move(leader);
        machine->record = std::move(record);
        machine->state = Machine::State::running;
        enter(machine);
    }
    return gone;
}

void Registry::add(const MachinePtr &machine) {
    try {
        files_.save(machine->record);
        enter(machine);
    } catch (...) {
        by_name_.erase(machine->record.name);
        by_unit_.erase(machine->record.unit);
        files_.remove(machine->record);
        throw;
    }
}

void Registry::enter(const MachinePtr &machine) {
    const std::weak_ptr<Machine> weak = machine;
    auto watch = std::make_unique<Watch>(loop_, machine->leader.get(), EPOLLIN, [this, weak] {
        if (const MachinePtr ended = weak.lock())
            remove(ended);
    });
    by_unit_.emplace(machine->record.unit, machine);
    by_name_.emplace(machine->record.name, Entry{.machine = machine, .watch = std::move(watch)});
    observer_.added(*machine);
}

MachinePtr Registry::by_name(const std::string &name) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end())
        return nullptr;
    MachinePtr machine = found->second.machine;
    if (!pidfd::has_exited(machine->leader.get()))
        return machine;
    remove(machine);
    return nullptr;
}

MachinePtr Registry::by_unit(const std::string &unit) {
    const auto found = by_unit_.find(unit);
    return found != by_unit_.end() ? by_name(found->second->record.name) : nullptr;
}

MachinePtr Registry::by_process(pid_t pid, const std::string &unit) {
    if (MachinePtr machine = by_unit(unit))
        return machine;
    // A leader that is not in its unit yet.
    const auto leads = [&](const auto &entry) { return entry.second.machine->record.leader == pid; };
    const auto found = std::ranges::find_if(by_name_, leads);
    return found != by_name_.end() ? by_name(found->first) : nullptr;
}

std::vector<MachinePtr> Registry::all() {
    std::vector<MachinePtr> living;
    std::vector<MachinePtr> ended;
    for (const auto &[name, entry] : by_name_)
        (pidfd::has_exited(entry.machine->leader.get()) ? ended : living).push_back(entry.machine);
    for (const MachinePtr &machine : ended)
        remove(machine);
    return living;
}

void Registry::set_state(Machine &machine, Machine::State state) {
    if (machine.state == state)
        return;
    machine.state = state;
    observer_.changed(machine);
}

void Registry::remove(const MachinePtr &machine) {
    const auto found = by_name_.find(machine->record.name);
    if (found == by_name_.end() || found->second.machine != machine)
        return;
    set_state(*machine, Machine::State::closing);
    const auto entry = by_name_.extract(found); // the watch stays until we are done
    by_unit_.erase(machine->record.unit);
    files_.remove(machine->record);
    observer_.removed(*machine);
    for (const auto &mourner : std::exchange(machine->mourners, {}))
        mourner.give({});
}

} // namespace berth
