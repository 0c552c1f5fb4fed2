// SPDX-License-Identifier: LGPL-2.1-or-later
// How machines come: CreateMachine and RegisterMachine.
#include <systemd/sd-id128.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/pidfd.hpp"
#include "berthd/log.hpp"
#include "berthd/operations.hpp"
#include "bus/errors.hpp"
#include "systemd/earlier_unit.hpp"
#include "systemd/process.hpp"

namespace berth {

namespace {

using bus_error::make;

/// For systemd to let go of an earlier unit of that name, and to start the new one.
constexpr auto patience = std::chrono::seconds(30);

template <class ClockType> std::uint64_t now() {
    const auto since = ClockType::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

void check_name(const std::string &name) {
    try {
        require_machine_name(name);
    } catch (const Error &error) {
        throw make(bus_error::invalid_args, "{}", error.what());
    }
}

std::string id_text(const NewMachine &request) {
    sd_id128_t id{};
    if (request.id.empty())
        return {};
    if (request.id.size() != sizeof id)
        throw make(bus_error::invalid_args, "machine \"{}\": an ID has 16 bytes, not {}", request.name,
                   request.id.size());
    std::ranges::copy(request.id, id.bytes);
    if (sd_id128_is_null(id) != 0)
        return {};
    std::array<char, SD_ID128_STRING_MAX> text{};
    return ::sd_id128_to_string(id, text.data());
}

/// The pid of the leader, once it is clear that it can be one.
pid_t leader_pid(const NewMachine &request) {
    pid_t pid = 0;
    try {
        pid = pidfd::pid_of(request.leader.get());
    } catch (const Error &error) {
        throw make(bus_error::invalid_args, "machine \"{}\": the leader must be given as a pidfd: {}",
                   request.name, error.what());
    }
    if (pid == 1)
        throw make(bus_error::invalid_args,
                   "machine \"{}\": process 1 is the host's, it cannot lead a machine", request.name);
    if (pid == 0 || pidfd::has_exited(request.leader.get()))
        throw make(bus_error::leader_gone, "machine \"{}\": its leader has exited", request.name);
    return pid;
}

/// True for units whose end would take more with it than a machine.
bool is_shared(std::string_view unit) {
    return unit == "init.scope" || (unit.starts_with("session-") && unit.ends_with(".scope"))
           || (unit.starts_with("user@") && unit.ends_with(".service"));
}

/// The slice that a scope with these properties is in.
std::string slice_of(const std::vector<systemd::Property> &properties) {
    for (const systemd::Property &property : properties)
        if (property.get<0>() == "Slice" && property.get<1>().containsValueOfType<std::string>())
            return property.get<1>().get<std::string>();
    return systemd::default_slice;
}

/// The machine of the request, which is checked. The unit is the one that the leader is in.
MachinePtr accept(NewMachine request) {
    check_name(request.name);
    if (request.kind != "container" && request.kind != "vm")
        throw make(bus_error::invalid_args, R"(machine "{}": the class is "container" or "vm", not "{}")",
                   request.name, request.kind);
    if (!request.root.empty() && !request.root.starts_with('/'))
        throw make(bus_error::invalid_args, R"(machine "{}": the root "{}" is not an absolute path)",
                   request.name, request.root);
    for (const std::int32_t index : request.interfaces)
        if (index <= 0)
            throw make(bus_error::invalid_args, R"(machine "{}": {} is not the index of a link)",
                       request.name, index);
    const auto machine = std::make_shared<Machine>();
    Record &record = machine->record;
    record.id = id_text(request);
    record.leader = leader_pid(request);
    machine->leader.reset(request.leader.release());
    record.leader_id = pidfd::id_of(machine->leader.get());
    record.unit = process::place_of(machine->leader.get(), record.leader).unit;
    record.name = std::move(request.name);
    record.service = std::move(request.service);
    record.root = std::move(request.root);
    record.kind = std::move(request.kind);
    record.interfaces = std::move(request.interfaces);
    record.realtime = now<std::chrono::system_clock>();
    record.monotonic = now<Clock>();
    return machine;
}

} // namespace

/// Throws unless the record can be added, with a leader that is in the unit `place` yet.
void Operations::require_free(const Record &record, const std::string &place) {
    if (registry_.by_name(record.name))
        throw make(bus_error::machine_exists, "machine \"{}\" is there already", record.name);
    if (const MachinePtr other = registry_.by_unit(record.unit))
        throw make(bus_error::machine_exists, R"(machine "{}": {} is the unit of machine "{}")", record.name,
                   record.unit, other->record.name);
    if (const MachinePtr other = registry_.by_process(record.leader, place))
        throw make(bus_error::invalid_args,
                   R"(machine "{}": its leader, process {}, is part of machine "{}")", record.name,
                   record.leader, other->record.name);
    if (registry_.taken_elsewhere(record.name, record.unit))
        throw make(bus_error::machine_exists,
                   "machine \"{}\" is there already, registered with another manager", record.name);
}

/// Waits for the end of a machine of that name that was killed: it goes in a moment, and whoever killed its
/// launcher may start it anew at once.
Task<void> Operations::outlive(std::string name) {
    for (const auto end = Clock::now() + earlier_unit::last_breath; Clock::now() < end;) {
        const MachinePtr other = registry_.by_name(name);
        if (!other || earlier_unit::is_staying(other->record.leader))
            co_return;
        const Outcome<Done> waited;
        const Timer timer(loop_, Clock::now() + earlier_unit::pause, [waited] { waited.give({}); });
        co_await waited;
    }
}

Task<MachinePtr> Operations::create(Caller caller, NewMachine request,
                                    std::vector<systemd::Property> properties) {
    const auto deadline = Clock::now() + patience;
    // While the bus looks up the caller, the request is checked.
    const auto allowed = tasks_.begin(authority_.require_root(std::move(caller)));
    const MachinePtr machine = accept(std::move(request));
    co_await allowed;
    co_await outlive(machine->record.name);

    // From here to the entry in the registry nothing else runs.
    const std::string place = std::exchange(machine->record.unit, scope_name(machine->record.name));
    machine->record.own_unit = true;
    machine->cgroup.path = process::slice_path(slice_of(properties)) + "/" + machine->record.unit;
    require_free(machine->record, place);
    // While systemd makes the scope, the machine is written down and put on the bus.
    const auto started = tasks_.begin(start_unit(machine, std::move(properties), deadline));
    std::exception_ptr failure;
    try {
        registry_.add(machine);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure)
        co_await give_up(machine, started, failure);
    co_await await_unit(machine, started);
    co_return machine;
}

/// Ends the scope of a machine that could not be written down, and tells why that was.
Task<void> Operations::give_up(MachinePtr machine, Outcome<Done> started, std::exception_ptr failure) {
    try {
        co_await started;
        sweep(machine->record.unit, process::cgroup_at(machine->cgroup.path));
    } catch (const std::exception &error) { // there is no scope, then
        log::warning("machine \"{}\": {}", machine->record.name, error.what());
    }
    std::rethrow_exception(failure);
}

Task<void> Operations::start_unit(MachinePtr machine, std::vector<systemd::Property> properties,
                                  Clock::time_point deadline) {
    const Record &record = machine->record;
    co_await systemd_.start_scope(
        {.unit = record.unit,
         .description = (record.kind == "vm" ? "Virtual Machine " : "Container ") + record.name,
         .leader = machine->leader.get(),
         .replaces = is_left_over(record.unit),
         .properties = std::move(properties)},
        deadline);
}

/// Waits for the start; if it fails the machine is forgotten.
Task<void> Operations::await_unit(MachinePtr machine, Outcome<Done> started) {
    const std::string &name = machine->record.name;
    std::exception_ptr failure;
    try {
        co_await started;
        machine->cgroup = process::cgroup_at(machine->cgroup.path);
    } catch (...) {
        failure = std::current_exception();
    }
    if (pidfd::has_exited(machine->leader.get()))
        failure = std::make_exception_ptr(
            make(bus_error::leader_gone, "its leader exited before {} was there", machine->record.unit));
    else if (!failure && machine->state != Machine::State::opening)
        failure = std::make_exception_ptr(make(bus_error::failed, "it was ended while it was being made"));
    if (!failure)
        co_return;
    registry_.remove(machine);
    if (machine->cgroup.id != 0) // it may have been removed before its scope was there
        sweep(machine->record.unit, machine->cgroup);
    throw bus_error::while_doing("machine \"" + name + "\"", bus_error::from(failure));
}

void Operations::created(Machine &machine) {
    registry_.set_state(machine, Machine::State::running);
}

Task<MachinePtr> Operations::enlist(Caller caller, NewMachine request) {
    const auto allowed = tasks_.begin(authority_.require_root(std::move(caller)));
    const MachinePtr machine = accept(std::move(request));
    const Record &record = machine->record;
    if (record.unit.empty() || is_shared(record.unit))
        throw make(
            bus_error::invalid_args,
            "machine \"{}\": its leader, process {}, is in {}: to be registered, a machine must be in a "
            "unit of its own, such as a service",
            record.name, record.leader, record.unit.empty() ? "no unit" : record.unit);
    co_await allowed;
    require_free(record, record.unit);
    machine->state = Machine::State::running;
    registry_.add(machine);
    co_return machine;
}

} // namespace berth
