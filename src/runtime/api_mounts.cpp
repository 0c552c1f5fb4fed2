// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/api_mounts.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/rooted.hpp"
#include "runtime/host_dir.hpp"
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

/// Mounts the detached file `mount`, made read-only, over `path` of the tree. A missing path is no
/// error: not every kernel has them all.
void cover(int root, const char *path, const unique_fd &mount) {
    const unique_fd target = rooted::try_open(root, path, O_PATH);
    if (!target) {
        if (errno == ENOENT)
            return;
        fail_errno("opening {} in the tree", path);
    }
    mounts::set_attributes(
        mount.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, false);
    mounts::attach(mount.get(), target.get(), path);
}

} // namespace

void mount_temporary(int root, uid_t owner, const std::string &context) {
    const auto tmpfs = [&](const char *path, std::vector<mounts::Option> options) {
        const std::string id = std::to_string(owner);
        options.insert(options.end(), {{"source", "tmpfs"}, {"uid", id}, {"gid", id}});
        if (!context.empty())
            options.emplace_back("context", context);
        mount_one(root, "tmpfs", path, options,
                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);
    };
    tmpfs("/run", {{"mode", "0755"}, {"size", "20%"}, {"nr_inodes", "800k"}});
    tmpfs("/tmp", {{"mode", "01777"}, {"size", "10%"}, {"nr_inodes", "1m"}});
    for (const char *path : {"/proc", "/sys"})
        (void)rooted::make_directory(root, path);
}

void mount_sys(int root) {
    mount_one(root, "sysfs", "/sys", {{"source", "sysfs"}}, quiet | MOUNT_ATTR_RDONLY);
}

void mount_proc(int root, bool private_network) {
    mount_one(root, "proc", "/proc", {{"source", "proc"}}, quiet);
    unique_fd net;
    if (private_network)
        net = mounts::clone_tree(rooted::open(root, "/proc/sys/net", O_PATH).get(), "", false);
    // What reaches beyond the machine is readable at most.
    restrict(root, "/proc/sys", quiet | MOUNT_ATTR_RDONLY);
    if (net) {
        const unique_fd target = rooted::open(root, "/proc/sys/net", O_PATH);
        mounts::attach(net.get(), target.get(), "/proc/sys/net");
    }
    for (const char *path :
         {"/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/scsi"})
        restrict(root, path, quiet | MOUNT_ATTR_RDONLY);
}

void cover_kernel_files(int root, const std::string &boot_id) {
    for (const char *path :
         {"/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list"})
        cover(root, path, host_dir::inaccessible(root, S_IFREG));
    // The others are files of /run that lose their names as soon as they are mounted.
    const unique_fd run = rooted::open(root, "/run", O_RDONLY | O_DIRECTORY);
    if (::mkfifoat(run.get(), "kmsg", 0600) < 0)
        fail_errno("creating a fifo in place of /proc/kmsg");
    cover(root, "/proc/kmsg", mounts::clone_tree(run.get(), "kmsg", false));
    const unique_fd id(::openat(run.get(), "boot_id", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (!id)
        fail_errno("creating a boot ID");
    write_all(id.get(), boot_id + "\n", "the boot ID");
    cover(root, "/proc/sys/kernel/random/boot_id", mounts::clone_tree(run.get(), "boot_id", false));
    for (const char *name : {"kmsg", "boot_id"})
        if (::unlinkat(run.get(), name, 0) < 0)
            fail_errno("removing /run/{}", name);
}

void mount_cgroup(int root) {
    const unique_fd target = rooted::open(root, "/sys/fs/cgroup", O_PATH | O_DIRECTORY);
    const unique_fd made = mounts::new_filesystem("cgroup2", {{"source", "cgroup"}}, quiet);
    mounts::attach(made.get(), target.get(), "/sys/fs/cgroup");
}

} // namespace berth::api_mounts
