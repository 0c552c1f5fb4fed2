// SPDX-License-Identifier: LGPL-2.1-or-later
// The plan's filesystems and covers (plan/api.hpp). Each is worked with by its descriptor: what a path leads
// to by then may be another.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "kernel/id_maps.hpp"
#include "plan/plan.hpp"
#include "root/host_dir.hpp"

namespace berth::api_mounts {

/// A mount of the machine's, detached or not.
struct Mount {
    std::string path;
    unique_fd fd;
};
using Mounts = std::vector<Mount>;

/// A path below one of the machine's mounts, or below its root.
struct Place {
    int root = -1;
    std::string path;
};

/// By the innermost of `mounts` that `path` lies on; else in the tree behind `root`.
[[nodiscard]] Place place_of(const std::string &path, int root, const Mounts &mounts);

/// The mount made at `path`. Throws Error when there is none.
[[nodiscard]] int at(const Mounts &mounts, std::string_view path);

/// The kind of namespace (CLONE_NEW*) that a filesystem of `type` shows; 0 where it shows none.
[[nodiscard]] std::uint64_t namespace_shown_by(std::string_view type);

/// True of what lies on a filesystem that shows a namespace: it comes after that.
[[nodiscard]] bool is_late(const ApiPlan &plan, const std::string &path);

/// Mounts those that show no namespace in the tree behind `root`, and makes the directories that the others
/// go on.
[[nodiscard]] Mounts mount_early(const ApiPlan &plan, int root, const IdMaps &ids);

/// What goes over files, in the plan's order, as detached mounts; empty for those that show what is there
/// already.
struct Covers {
    std::vector<unique_fd> mounts;
    unique_fd named; ///< the directory in which some have names until they are mounted
    std::vector<std::string> names;
};

/// Makes them; `directory` is for those that need a file behind them.
[[nodiscard]] Covers make_covers(const ApiPlan &plan, const host_dir::HostDir &host, int directory);

/// The filesystems that show namespaces of the kinds in `shown`, those that we are in; detached until
/// attach(). `others`: those of them that are not the machine's own. What shows them may be what we see of
/// them, where the kernel gives us no other.
[[nodiscard]] Mounts make(const ApiPlan &plan, std::uint64_t shown, std::uint64_t others);

/// The same (but for the cgroup hierarchy) of the machine whose first process, a child of ours that waits, is
/// behind the pidfd `leader`: made with our rights, in our mount namespace. The machine's next process gets
/// the number that it would have.
[[nodiscard]] Mounts make_for(const ApiPlan &plan, std::uint64_t shown, std::uint64_t others, int leader);

/// True where parts of our own /proc or /sys are covered, as they are in containers: a machine with users of
/// its own can then mount neither, since it would see more than we do (mount_namespaces(7), "fully visible").
[[nodiscard]] bool are_covered();

/// What make() made elsewhere, whose descriptors came to us in the same order.
[[nodiscard]] Mounts from_descriptors(const ApiPlan &plan, std::uint64_t shown, std::vector<unique_fd> fds);

/// Attaches them in the tree behind `root`, in which `earlier` are mounted.
void attach(int root, const Mounts &mounts, const Mounts &earlier);

/// Covers parts of `mounts`; those for a machine whose root is the host's too when `of_host_root`.
void cover(const ApiPlan &plan, const Mounts &mounts, Covers covers, const host_dir::HostDir &host,
           bool of_host_root);

} // namespace berth::api_mounts
