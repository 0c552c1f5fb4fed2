// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/manager_object.hpp"

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "berthd/answer.hpp"
#include "build.hpp"
#include "bus/errors.hpp"
#include "systemd/process.hpp"

namespace berth {

namespace {

sdbus::ObjectPath path_of(const MachinePtr &machine) {
    return machine_path(machine->record.name);
}

} // namespace

ManagerObject::ManagerObject(sdbus::IConnection &bus, sd_bus *raw, sd_event *loop, StateFolder files)
    : AdaptorInterfaces(bus, sdbus::ObjectPath("/org/berth1")), bus_(bus), loop_(loop), authority_(bus, raw),
      systemd_(bus, loop), registry_(loop, std::move(files), *this),
      operations_(loop, registry_, systemd_, authority_, tasks_) {
    registerAdaptor();
}

ManagerObject::~ManagerObject() {
    unregisterAdaptor();
}

void ManagerObject::restore() {
    restoring_ = true;
    for (const Record &gone : registry_.restore())
        if (gone.own_unit)
            operations_.sweep(gone.unit, {});
    restoring_ = false;
}

std::string ManagerObject::Version() {
    return std::string(build::version);
}

ManagerObject::MachineList ManagerObject::ListMachines() {
    MachineList list;
    for (const MachinePtr &machine : registry_.all())
        list.emplace_back(machine->record.name, machine->record.kind, machine->record.service,
                          path_of(machine));
    return list;
}

sdbus::ObjectPath ManagerObject::GetMachine(const std::string &name) {
    return path_of(operations_.get(name));
}

sdbus::ObjectPath ManagerObject::GetMachineByPID(const std::uint32_t &pid) {
    try {
        const unique_fd process =
            pid == 0 ? authority_.caller_process() : pidfd::open(static_cast<pid_t>(pid));
        const pid_t number = pidfd::pid_of(process.get());
        if (const MachinePtr machine =
                registry_.by_process(number, process::place_of(process.get(), number).unit))
            return path_of(machine);
    } catch (const Error &error) {
        throw bus_error::make(bus_error::no_machine_for_pid, "looking for the machine of process {}: {}", pid,
                              error.what());
    }
    throw bus_error::make(bus_error::no_machine_for_pid, "process {} is part of no machine", pid);
}

void ManagerObject::CreateMachine(sdbus::Result<sdbus::ObjectPath> &&result, std::string name,
                                  std::vector<std::uint8_t> id, std::string service, std::string kind,
                                  sdbus::UnixFd leader, std::string root, Properties properties) {
    CreateMachineWithNetwork(std::move(result), std::move(name), std::move(id), std::move(service),
                             std::move(kind), std::move(leader), std::move(root), {}, std::move(properties));
}

void ManagerObject::CreateMachineWithNetwork(sdbus::Result<sdbus::ObjectPath> &&result, std::string name,
                                             std::vector<std::uint8_t> id, std::string service,
                                             std::string kind, sdbus::UnixFd leader, std::string root,
                                             std::vector<std::int32_t> interfaces, Properties properties) {
    NewMachine request{std::move(name),   std::move(id),   std::move(service),   std::move(kind),
                       std::move(leader), std::move(root), std::move(interfaces)};
    auto work = operations_.create(authority_.caller(), std::move(request), std::move(properties));
    tasks_.start(answer(std::move(result), std::move(work), path_of,
                        [this](const MachinePtr &machine) { operations_.created(*machine); }));
}

void ManagerObject::RegisterMachine(sdbus::Result<sdbus::ObjectPath> &&result, std::string name,
                                    std::vector<std::uint8_t> id, std::string service, std::string kind,
                                    sdbus::UnixFd leader, std::string root) {
    RegisterMachineWithNetwork(std::move(result), std::move(name), std::move(id), std::move(service),
                               std::move(kind), std::move(leader), std::move(root), {});
}

void ManagerObject::RegisterMachineWithNetwork(sdbus::Result<sdbus::ObjectPath> &&result, std::string name,
                                               std::vector<std::uint8_t> id, std::string service,
                                               std::string kind, sdbus::UnixFd leader, std::string root,
                                               std::vector<std::int32_t> interfaces) {
    NewMachine request{std::move(name),   std::move(id),   std::move(service),   std::move(kind),
                       std::move(leader), std::move(root), std::move(interfaces)};
    tasks_.start(
        answer(std::move(result), operations_.enlist(authority_.caller(), std::move(request)), path_of));
}

void ManagerObject::UnregisterMachine(sdbus::Result<> &&result, std::string name) {
    tasks_.start(answer(std::move(result), operations_.unregister(authority_.caller(), std::move(name))));
}

void ManagerObject::TerminateMachine(sdbus::Result<> &&result, std::string name) {
    tasks_.start(answer(std::move(result), operations_.terminate(authority_.caller(), std::move(name))));
}

void ManagerObject::KillMachine(sdbus::Result<> &&result, std::string name, std::string whom,
                                std::int32_t signal) {
    auto work = operations_.kill(authority_.caller(), std::move(name), std::move(whom), signal);
    tasks_.start(answer(std::move(result), std::move(work)));
}

void ManagerObject::GetMachineOSRelease(sdbus::Result<std::map<std::string, std::string>> &&result,
                                        std::string name) {
    tasks_.start(answer(std::move(result), operations_.os_release(std::move(name))));
}

void ManagerObject::GetMachineAddresses(sdbus::Result<AddressList> &&result, std::string name) {
    tasks_.start(answer(std::move(result), operations_.addresses(std::move(name)), address_list));
}

void ManagerObject::OpenMachineLeader(sdbus::Result<sdbus::UnixFd> &&result, std::string name) {
    tasks_.start(answer(std::move(result), operations_.open_leader(authority_.caller(), std::move(name))));
}

void ManagerObject::added(const Machine &machine) {
    const std::string &name = machine.record.name;
    discarded_.clear(); // one of them may have been at the same path
    auto object = std::make_unique<MachineObject>(bus_, machine, operations_, authority_, tasks_);
    objects_.insert_or_assign(name, std::move(object));
    if (!restoring_)
        emitMachineNew(name, machine_path(name));
}

void ManagerObject::changed(const Machine &machine) {
    if (const auto found = objects_.find(machine.record.name); found != objects_.end())
        found->second->set_state(machine.state);
}

void ManagerObject::removed(const Machine &machine) {
    const std::string &name = machine.record.name;
    emitMachineRemoved(name, machine_path(name));
    if (auto object = objects_.extract(name)) {
        discarded_.push_back(std::move(object.mapped()));
        discarding_ = std::make_unique<Timer>(loop_, Clock::now(), [this] { discarded_.clear(); });
    }
    if (machine.record.own_unit)
        operations_.sweep(machine.record.unit, machine.cgroup);
}

} // namespace berth
