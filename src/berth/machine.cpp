// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/machine.hpp"

#include "base/error.hpp"
#include "berth/leader.hpp"

namespace berth::cli {

Machine open_machine(const std::string &name) {
    if (name.empty() || name == ".host")
        return {.leader = {}, .target = join::host()};
    Machine machine;
    machine.leader = open_leader(name);
    try {
        machine.target = join::look_at(machine.leader.get());
    } catch (const Error &error) {
        if (error.code() == EACCES || error.code() == EPERM)
            throw Error(std::string(error.what()) + "; joining a machine needs root", error.code());
        throw;
    }
    return machine;
}

} // namespace berth::cli
