// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's filesystems inside the machine: /proc, /sys, /run, /tmp and what is hidden in them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "root/host_dir.hpp"

namespace berth::api_mounts {

/// Mounts /run and /tmp, which belong to the user `owner`, and makes the directories that the
/// others go on. `context`: SELinux label, or empty. Returns the mount of /run.
[[nodiscard]] unique_fd mount_temporary(int root, uid_t owner, const std::string &context);

/// What goes over files of /proc, as detached mounts.
struct Covers {
    std::vector<unique_fd> hiding; ///< one for each file that would tell of the host
    unique_fd kmsg;
    unique_fd boot_id;
    unique_fd run; ///< in which these two have names until they are mounted
};

/// Makes them. `run` is the mount of /run; `boot_id`, with dashes, the machine's own.
[[nodiscard]] Covers make_covers(const host_dir::HostDir &host, int run, const std::string &boot_id);

/// The kernel's filesystems that show namespaces, as mounts which are detached until attach(). Some may be
/// missing: they are somebody else's to attach.
struct Kernel {
    unique_fd proc;
    unique_fd sys;
    unique_fd mqueue;
};

/// Which of them.
struct Shown {
    bool proc = true;
    bool sys = true;
    bool mqueue = true;
};

/// Those of the pid, network and ipc namespaces that we are in.
[[nodiscard]] Kernel make(const Shown &shown = {});

/// Those of the machine whose first process, a child of ours that waits, is behind the pidfd `leader`: made
/// with our rights, in our mount namespace. The machine's next process gets the number that it would have.
[[nodiscard]] Kernel make_for(int leader);

/// Attaches them to /proc, /sys and /dev/mqueue.
void attach(int root, const Kernel &kernel);

/// Makes what reaches beyond the machine readable at most, and covers what would tell of the host.
/// `private_network`: /proc/sys/net is the machine's own and stays writable.
void restrict(const Kernel &kernel, Covers covers, bool private_network);

/// Hides what root of the host alone may read of the kernel, from a machine whose root that is as far as
/// files are concerned.
void hide_from_root(const Kernel &kernel, const host_dir::HostDir &host);

/// Mounts the cgroup hierarchy on /sys/fs/cgroup; call it in the machine's cgroup namespace.
void mount_cgroup(int root);

} // namespace berth::api_mounts
