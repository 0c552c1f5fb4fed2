// SPDX-License-Identifier: LGPL-2.1-or-later
// A machine on the bus: org.berth1.Machine at /org/berth1/machine/NAME.
#pragma once

#include <sdbus-c++/AdaptorInterfaces.h>

#include <map>
#include <string>
#include <vector>

#include "berthd/operations.hpp"
#include "org.berth1.Machine.adaptor.hpp"

namespace berth {

/// The addresses as they stand in a reply.
using AddressList = std::vector<sdbus::Struct<std::int32_t, std::vector<std::uint8_t>>>;
[[nodiscard]] AddressList address_list(const std::vector<addresses::Address> &list);

/// The object of the machine of that name.
[[nodiscard]] sdbus::ObjectPath machine_path(const std::string &name);

class MachineObject final : public sdbus::AdaptorInterfaces<org::berth1::Machine_adaptor> {
public:
    MachineObject(sdbus::IConnection &bus, const Machine &machine, Operations &operations,
                  Authority &authority, Tasks &tasks);
    MachineObject(const MachineObject &) = delete;
    MachineObject &operator=(const MachineObject &) = delete;
    ~MachineObject();

    /// The machine's state is now `state`.
    void set_state(Machine::State state);

private:
    void Terminate(sdbus::Result<> &&result) override;
    void Kill(sdbus::Result<> &&result, std::string whom, std::int32_t signal) override;
    void GetOSRelease(sdbus::Result<std::map<std::string, std::string>> &&result) override;
    void GetAddresses(sdbus::Result<AddressList> &&result) override;
    void OpenLeader(sdbus::Result<sdbus::UnixFd> &&result) override;

    std::string Name() override { return record_.name; }
    std::vector<std::uint8_t> Id() override;
    std::uint64_t Timestamp() override { return record_.realtime; }
    std::uint64_t TimestampMonotonic() override { return record_.monotonic; }
    std::string Service() override { return record_.service; }
    std::string Unit() override { return record_.unit; }
    std::uint32_t Leader() override { return static_cast<std::uint32_t>(record_.leader); }
    std::string Class() override { return record_.kind; }
    std::string RootDirectory() override { return record_.root; }
    std::vector<std::int32_t> NetworkInterfaces() override { return record_.interfaces; }
    std::string State() override { return state_name(state_); }

    Record record_;
    Machine::State state_;
    Operations &operations_;
    Authority &authority_;
    Tasks &tasks_;
};

} // namespace berth
