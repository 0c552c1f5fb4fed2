// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/machine_object.hpp"

#include <systemd/sd-id128.h>

#include "berthd/answer.hpp"
#include "bus/path.hpp"

namespace berth {

AddressList address_list(const std::vector<addresses::Address> &list) {
    AddressList reply;
    for (const auto &[family, bytes] : list)
        reply.emplace_back(family, bytes);
    return reply;
}

sdbus::ObjectPath machine_path(const std::string &name) {
    return object_path("/org/berth1/machine", name);
}

MachineObject::MachineObject(sdbus::IConnection &bus, const Machine &machine, Operations &operations,
                             Authority &authority, Tasks &tasks)
    : AdaptorInterfaces(bus, machine_path(machine.record.name)), record_(machine.record),
      state_(machine.state), operations_(operations), authority_(authority), tasks_(tasks) {
    registerAdaptor();
}

MachineObject::~MachineObject() {
    unregisterAdaptor();
}

void MachineObject::set_state(Machine::State state) {
    state_ = state;
    getObject().emitPropertiesChangedSignal(INTERFACE_NAME, {sdbus::PropertyName("State")});
}

void MachineObject::Terminate(sdbus::Result<> &&result) {
    tasks_.start(answer(std::move(result), operations_.terminate(authority_.caller(), record_.name)));
}

void MachineObject::Kill(sdbus::Result<> &&result, std::string whom, std::int32_t signal) {
    tasks_.start(answer(std::move(result),
                        operations_.kill(authority_.caller(), record_.name, std::move(whom), signal)));
}

void MachineObject::GetOSRelease(sdbus::Result<std::map<std::string, std::string>> &&result) {
    tasks_.start(answer(std::move(result), operations_.os_release(record_.name)));
}

void MachineObject::GetAddresses(sdbus::Result<AddressList> &&result) {
    tasks_.start(answer(std::move(result), operations_.addresses(record_.name), address_list));
}

void MachineObject::OpenLeader(sdbus::Result<sdbus::UnixFd> &&result) {
    tasks_.start(answer(std::move(result), operations_.open_leader(authority_.caller(), record_.name)));
}

std::vector<std::uint8_t> MachineObject::Id() {
    sd_id128_t id{};
    if (record_.id.empty() || ::sd_id128_from_string(record_.id.c_str(), &id) < 0)
        return {};
    return {std::begin(id.bytes), std::end(id.bytes)};
}

} // namespace berth
