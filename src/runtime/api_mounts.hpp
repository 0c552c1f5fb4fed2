// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's filesystems inside the machine: /proc, /sys, /run, /tmp and what is hidden in them.
#pragma once

#include <sys/types.h>

#include <string>

namespace berth::api_mounts {

/// Mounts /run and /tmp, which belong to the user `owner`, and makes the directories that the
/// others go on. `context`: SELinux label, or empty.
void mount_temporary(int root, uid_t owner, const std::string &context);

/// Mounts /sys as the network namespace that we are in shows it.
void mount_sys(int root);

/// Mounts /proc; call it in the machine's PID namespace. `private_network`: /proc/sys/net is the
/// machine's own and stays writable.
void mount_proc(int root, bool private_network);

/// Hides the files of /proc that would tell of the host, and gives the machine a boot ID of its
/// own (`boot_id`, with dashes). /run/host is there already.
void cover_kernel_files(int root, const std::string &boot_id);

/// Mounts the cgroup hierarchy on /sys/fs/cgroup; call it in the machine's cgroup namespace.
void mount_cgroup(int root);

} // namespace berth::api_mounts
