// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/api_mounts.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/error.hpp"
#include "base/rooted.hpp"
#include "runtime/mounts.hpp"

namespace berth::api_mounts {

namespace {

constexpr unsigned quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;

void mount_one(int root, const std::string &type, const std::string &path,
               const std::vector<mounts::Option> &options, unsigned attributes) {
    const unique_fd target = rooted::make_directory(root, path);
    const unique_fd made = mounts::new_filesystem(type, options, attributes);
    mounts::attach(made.get(), target.get(), path);
}

/// Mounts `path` of the tree on itself, with other attributes. Missing ones are no error: not
/// every kernel has them all.
void restrict(int root, const std::string &path, unsigned attributes) {
    const unique_fd target = rooted::try_open(root, path, O_PATH);
    if (!target) {
        if (errno == ENOENT)
            return;
        fail_errno("opening {} in the tree", path);
    }
    const unique_fd copy = mounts::clone_tree(target.get(), "", false);
    mounts::set_attributes(copy.get(), attributes, 0, false);
    mounts::attach(copy.get(), target.get(), path);
}

} // namespace

void mount(int root, bool private_network) {
    mount_one(root, "proc", "/proc", {{"source", "proc"}}, quiet);
    mount_one(root, "sysfs", "/sys", {{"source", "sysfs"}}, quiet | MOUNT_ATTR_RDONLY);
    mount_one(root, "tmpfs", "/run",
              {{"source", "tmpfs"}, {"mode", "0755"}, {"size", "20%"}, {"nr_inodes", "800k"}},
              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);
    mount_one(root, "tmpfs", "/tmp",
              {{"source", "tmpfs"}, {"mode", "01777"}, {"size", "10%"}, {"nr_inodes", "1m"}},
              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);

    // What reaches beyond the machine is readable at most.
    restrict(root, "/proc/sys", quiet | MOUNT_ATTR_RDONLY);
    if (private_network) {
        const unique_fd target = rooted::open(root, "/proc/sys/net", O_PATH);
        const unique_fd proc = mounts::new_filesystem("proc", {{"source", "proc"}}, quiet);
        const unique_fd net = mounts::clone_tree(proc.get(), "sys/net", false);
        mounts::attach(net.get(), target.get(), "/proc/sys/net");
    }
    for (const char *path :
         {"/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/scsi"})
        restrict(root, path, quiet | MOUNT_ATTR_RDONLY);
}

void mount_cgroup(int root) {
    const unique_fd target = rooted::open(root, "/sys/fs/cgroup", O_PATH | O_DIRECTORY);
    const unique_fd made = mounts::new_filesystem("cgroup2", {{"source", "cgroup"}}, quiet);
    mounts::attach(made.get(), target.get(), "/sys/fs/cgroup");
}

} // namespace berth::api_mounts
