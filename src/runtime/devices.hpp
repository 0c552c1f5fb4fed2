// SPDX-License-Identifier: LGPL-2.1-or-later
// /dev inside the machine.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/unique_fd.hpp"

namespace berth::devices {

/// Mounts a fresh /dev with the usual nodes, links, shm and an own devpts instance; they belong to
/// the user `owner`. `context`: SELinux label, or empty.
void mount(int root, uid_t owner, const std::string &context);

/// Mounts /dev/mqueue; call it in the machine's IPC namespace.
void mount_mqueue(int root);

/// A pty of the machine's own devpts, for its console.
struct Console {
    unique_fd master;
    unique_fd slave;
};

/// Opens the pty and mounts its slave on /dev/console.
[[nodiscard]] Console make_console(int root, uid_t owner);

} // namespace berth::devices
