// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's filesystems inside the machine: /proc, /sys, /run, /tmp and what is hidden in them.
#pragma once

namespace berth::api_mounts {

/// Mounts them into the tree behind `root`. Call it in the machine's pid, ipc and network
/// namespaces. `private_network`: /proc/sys/net is the machine's own and stays writable.
void mount(int root, bool private_network);

/// Mounts the cgroup hierarchy on /sys/fs/cgroup; call it in the machine's cgroup namespace.
void mount_cgroup(int root);

} // namespace berth::api_mounts
