// SPDX-License-Identifier: LGPL-2.1-or-later
// berthd on the bus: org.berth1.Manager at /org/berth1, and the objects of the machines below it.
#pragma once

#include <sdbus-c++/AdaptorInterfaces.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "berthd/machine_object.hpp"
#include "berthd/operations.hpp"
#include "berthd/registry.hpp"
#include "org.berth1.Manager.adaptor.hpp"

namespace berth {

class ManagerObject final : public sdbus::AdaptorInterfaces<org::berth1::Manager_adaptor>,
                            private Registry::Observer {
public:
    /// `raw` is the connection underneath `bus`.
    ManagerObject(sdbus::IConnection &bus, sd_bus *raw, sd_event *loop, StateFolder files);
    ManagerObject(const ManagerObject &) = delete;
    ManagerObject &operator=(const ManagerObject &) = delete;
    ~ManagerObject() override;

    /// Finds the machines of an earlier berthd again.
    void restore();

    /// The calls being carried out.
    [[nodiscard]] Tasks &tasks() noexcept { return tasks_; }

private:
    using MachineList = std::vector<sdbus::Struct<std::string, std::string, std::string, sdbus::ObjectPath>>;
    using Properties = std::vector<sdbus::Struct<std::string, sdbus::Variant>>;

    std::string Version() override;
    MachineList ListMachines() override;
    sdbus::ObjectPath GetMachine(const std::string &name) override;
    sdbus::ObjectPath GetMachineByPID(const std::uint32_t &pid) override;
    void CreateMachine(sdbus::Result<sdbus::ObjectPath> &&result, std::string name,
                       std::vector<std::uint8_t> id, std::string service, std::string kind,
                       sdbus::UnixFd leader, std::string root, Properties properties) override;
    void RegisterMachine(sdbus::Result<sdbus::ObjectPath> &&result, std::string name,
                         std::vector<std::uint8_t> id, std::string service, std::string kind,
                         sdbus::UnixFd leader, std::string root) override;
    void CreateMachineWithNetwork(sdbus::Result<sdbus::ObjectPath> &&result, std::string name,
                                  std::vector<std::uint8_t> id, std::string service, std::string kind,
                                  sdbus::UnixFd leader, std::string root,
                                  std::vector<std::int32_t> interfaces, Properties properties) override;
    void RegisterMachineWithNetwork(sdbus::Result<sdbus::ObjectPath> &&result, std::string name,
                                    std::vector<std::uint8_t> id, std::string service, std::string kind,
                                    sdbus::UnixFd leader, std::string root,
                                    std::vector<std::int32_t> interfaces) override;
    void UnregisterMachine(sdbus::Result<> &&result, std::string name) override;
    void TerminateMachine(sdbus::Result<> &&result, std::string name) override;
    void KillMachine(sdbus::Result<> &&result, std::string name, std::string whom,
                     std::int32_t signal) override;
    void GetMachineOSRelease(sdbus::Result<std::map<std::string, std::string>> &&result,
                             std::string name) override;
    void GetMachineAddresses(sdbus::Result<AddressList> &&result, std::string name) override;
    void OpenMachineLeader(sdbus::Result<sdbus::UnixFd> &&result, std::string name) override;

    void added(const Machine &machine) override;
    void changed(const Machine &machine) override;
    void removed(const Machine &machine) override;

    sdbus::IConnection &bus_;
    sd_event *loop_;
    Authority authority_;
    systemd::Manager systemd_;
    Registry registry_;
    Operations operations_;
    std::map<std::string, std::unique_ptr<MachineObject>> objects_;
    /// Objects of machines that are gone, until no call into them can be on the stack.
    std::vector<std::unique_ptr<MachineObject>> discarded_;
    std::unique_ptr<Timer> discarding_;
    bool restoring_ = false;
    Tasks tasks_; // last: they use all of the above
};

} // namespace berth
