// SPDX-License-Identifier: LGPL-2.1-or-later
// What can be asked of berthd, as the two D-Bus interfaces offer it. Each operation is a task
// that throws sdbus::Error (bus/errors.hpp) or berth::Error.
#pragma once

#include <sdbus-c++/Types.h>

#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "berthd/addresses.hpp"
#include "berthd/os_release.hpp"
#include "berthd/registry.hpp"
#include "bus/authority.hpp"
#include "bus/task.hpp"
#include "systemd/manager.hpp"
#include "systemd/process.hpp"

namespace berth {

/// A machine as its launcher describes it.
struct NewMachine {
    std::string name;
    std::vector<std::uint8_t> id; ///< 16 bytes, or none
    std::string service;
    std::string kind;                          ///< "container" or "vm"
    sdbus::UnixFd leader;                      ///< pidfd
    std::string root;                          ///< absolute, or empty
    std::vector<std::int32_t> interfaces = {}; ///< links on the host that lead to it
};

class Operations {
public:
    Operations(sd_event *loop, Registry &registry, systemd::Manager &systemd, Authority &authority,
               Tasks &tasks)
        : loop_(loop), registry_(registry), systemd_(systemd), authority_(authority), tasks_(tasks) {}

    Task<MachinePtr> create(Caller caller, NewMachine request, std::vector<systemd::Property> properties);
    /// To be called when create() has been answered: the rest, for which the launcher need not wait.
    void created(Machine &machine);
    Task<MachinePtr> enlist(Caller caller, NewMachine request);
    Task<void> unregister(Caller caller, std::string name);
    Task<void> terminate(Caller caller, std::string name);
    Task<void> kill(Caller caller, std::string name, std::string whom, int signal);
    Task<sdbus::UnixFd> open_leader(Caller caller, std::string name);
    Task<os_release::Fields> os_release(std::string name);
    Task<std::vector<addresses::Address>> addresses(std::string name);

    /// The living machine of that name; throws NoSuchMachine.
    [[nodiscard]] MachinePtr get(const std::string &name);

    /// To be called when a machine has ended whose unit is ours: sees to it that nothing remains
    /// in the unit. `cgroup` is the unit's.
    void sweep(std::string unit, process::Cgroup cgroup);

private:
    /// Units that machines have left, by name; what is in them goes.
    using Leftovers = std::multimap<std::string, process::Cgroup>;

    void require_free(const Record &record, const std::string &place);
    Task<void> outlive(std::string name);
    Task<void> start_unit(MachinePtr machine, std::vector<systemd::Property> properties,
                          Clock::time_point deadline);
    Task<void> await_unit(MachinePtr machine, Outcome<Done> started);
    Task<void> give_up(MachinePtr machine, Outcome<Done> started, std::exception_ptr failure);
    Task<void> end(MachinePtr machine);
    Task<void> sweep_later(Leftovers::iterator leftover);
    [[nodiscard]] bool is_left_over(const std::string &unit) const;
    Task<std::string> look_inside(MachinePtr machine, std::string what, std::string (*look)(int leader));

    sd_event *loop_;
    Registry &registry_;
    systemd::Manager &systemd_;
    Authority &authority_;
    Tasks &tasks_;
    Leftovers leftovers_;
};

} // namespace berth
