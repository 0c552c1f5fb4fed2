// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/exec/machine.hpp"

#include <unistd.h>

#include "base/error.hpp"
#include "base/own_copy.hpp"
#include "berth/leader.hpp"

namespace berth::cli {

Machine open_machine(const std::string &name, join::Look look) {
    if (name.empty() || name == ".host")
        return {.leader = {}, .target = join::host()};
    own_copy::require();
    Machine machine;
    machine.leader = open_leader(name);
    try {
        machine.target = join::look_at(machine.leader.get(), look);
    } catch (const Error &error) {
        if (error.code() == EACCES || error.code() == EPERM)
            throw Error(std::string(error.what()) + "; joining a machine needs root", error.code());
        throw;
    }
    return machine;
}

} // namespace berth::cli
