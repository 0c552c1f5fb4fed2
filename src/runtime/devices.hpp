// SPDX-License-Identifier: LGPL-2.1-or-later
// /dev inside the machine.
#pragma once

#include "base/unique_fd.hpp"

namespace berth::devices {

/// Mounts a fresh /dev with the usual nodes, links, shm, mqueue and an own devpts instance.
void mount(int root);

/// A pty of the machine's own devpts, for its console.
struct Console {
    unique_fd master;
    unique_fd slave;
};

/// Opens the pty and mounts its slave on /dev/console.
[[nodiscard]] Console make_console(int root);

} // namespace berth::devices
