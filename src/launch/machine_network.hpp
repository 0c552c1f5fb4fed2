// SPDX-License-Identifier: LGPL-2.1-or-later
// The links and ports of one running machine.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "launch/network.hpp"

namespace berth {

/// Made when the machine's network namespace is there, and gone when it has ended: what was moved
/// in comes back, and what nobody uses any more is removed.
class MachineNetwork {
public:
    /// `leader` is a process of the machine, a child of ours.
    MachineNetwork(const network::Plan &plan, std::string machine, pid_t leader);
    MachineNetwork(const MachineNetwork &) = delete;
    MachineNetwork &operator=(const MachineNetwork &) = delete;
    ~MachineNetwork();

    /// Indices of the links on the host that lead to the machine.
    [[nodiscard]] const std::vector<int> &interfaces() const { return links_.interfaces; }

    /// Leads ports of the host to the machine, from now on.
    void expose();

private:
    const network::Plan &plan_;
    std::string machine_;
    unique_fd namespace_;
    network::Links links_;
    std::unique_ptr<network::Exposure> exposure_;
};

} // namespace berth
