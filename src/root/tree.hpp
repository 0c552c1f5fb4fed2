// SPDX-License-Identifier: LGPL-2.1-or-later
// Puts a machine's whole tree of mounts together and makes it our root.
//
// There are three steps. assemble() needs the rights of the host's root alone, show_namespaces() the
// machine's namespaces, finish() is for its first process. Without a user namespace that process does them
// all. With one the launcher assembles the tree in a mount namespace of its own: what the machine then
// inherits is locked (mount_namespaces(7), "Restrictions on mount namespaces"), so that it can neither make
// read-only mounts writable nor uncover what they hide.
//
// Of /proc and /sys that holds only where it matters, since the kernel then refuses to mount another /proc
// in the machine, as programs in it may want to: see locks_namespaces().
#pragma once

#include <vector>

#include "base/unique_fd.hpp"
#include "kernel/id_maps.hpp"
#include "plan/plan.hpp"
#include "root/api_mounts.hpp"
#include "root/host_dir.hpp"
#include "root/root.hpp"
#include "root/scratch.hpp"
#include "root/unix_export.hpp"
#include "user/host_user.hpp"

namespace berth::tree {

/// What a tree is made of, beside the plan.
struct Parts {
    IdMaps &ids;
    root::Opened opened;                       ///< the layers and the upper
    const std::vector<root::Partition> &image; ///< of the disk image, or empty
    Scratch &scratch;
    const UnixExport &exported;
    const std::vector<user::HostUser> &users; ///< of the host's, to be known inside
};

struct Assembled {
    unique_fd root;    ///< O_PATH
    unique_fd console; ///< master of the console's pty; empty when piped
    unique_fd console_slave;
    unique_fd notify; ///< the socket at /run/host/notify
    api_mounts::Mounts mounts; ///< of the plan, those that show no namespaces
    host_dir::HostDir host;
    api_mounts::Covers covers;
    /// Sources of the plan's mounts that belong below /proc or /sys, as the plan has them; empty
    /// for all others.
    std::vector<unique_fd> late;
    std::vector<Guest> guests; ///< users of the host that must be themselves in the user namespace
};

/// Mounts all that is not tied to the machine's namespaces on root::staging.
[[nodiscard]] Assembled assemble(const LaunchPlan &plan, const Parts &parts);

/// Whether root inside may not undo what is mounted on /proc and /sys, so that the launcher has to call
/// show_namespaces() before the machine has a copy: where that root is the host's as far as files are
/// concerned (`base` is 0), or where the plan has mounts there. Machines without users of their own can undo
/// all mounts.
[[nodiscard]] bool locks_namespaces(const LaunchPlan &plan, uid_t base);

/// Of the namespaces that filesystems show (CLONE_NEW*): those that are not the machine's own, and those that are.
[[nodiscard]] std::uint64_t shown_of_others(const LaunchPlan &plan);
[[nodiscard]] std::uint64_t shown_of_its_own(const LaunchPlan &plan);

/// Mounts what shows namespaces of others: the machine may look at them and no more, so this too comes
/// before it has a copy.
void show_others(const Assembled &assembled, const api_mounts::Mounts &shown);

/// Mounts what shows the machine's namespaces, what covers parts of it, and the plan's mounts on that.
/// `of_host_root`: the machine's root is the host's as far as files are concerned.
void show_namespaces(const LaunchPlan &plan, Assembled &assembled, const api_mounts::Mounts &shown,
                     bool of_host_root);

/// Mounts the cgroup hierarchy; call it in the machine's cgroup namespace.
void show_cgroup(const LaunchPlan &plan, const Assembled &assembled);

/// Takes the tree that the launcher assembled, of which we have a copy, for our own.
void adopt(Assembled &assembled);

/// Lets go of an assembled tree that another process has a copy of.
void release() noexcept;

/// Pivots into the tree.
void finish(const LaunchPlan &plan, const Assembled &assembled);

} // namespace berth::tree
