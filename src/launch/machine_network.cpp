// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/machine_network.hpp"

#include <fcntl.h>

#include <cstdio>

#include "base/error.hpp"
#include "base/printable.hpp"

namespace berth {

MachineNetwork::MachineNetwork(const network::Plan &plan, std::string machine, pid_t leader)
    : plan_(plan), machine_(std::move(machine)) {
    const std::string path = berth::format("/proc/{}/ns/net", leader);
    namespace_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!namespace_)
        fail_errno("opening {}", path);
    if (plan_.wanted())
        links_ = network::setup(plan_, machine_, namespace_.get());
}

void MachineNetwork::expose() {
    if (!plan_.ports.empty())
        exposure_ = std::make_unique<network::Exposure>(plan_, machine_, namespace_.get());
}

MachineNetwork::~MachineNetwork() {
    exposure_.reset(); // it holds the namespace, too
    if (!plan_.wanted())
        return;
    const std::string left = network::release(plan_, machine_, namespace_.get(), links_.moved);
    if (!left.empty())
        std::fprintf(stderr, "berth run: %s\n", printable(left).c_str());
}

} // namespace berth
