// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/host_dir.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <format>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/rooted.hpp"
#include "runtime/mounts.hpp"

namespace berth::host_dir {

namespace {

void make_file(int directory, const char *name, std::string_view content) {
    const unique_fd fd(::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
    if (!fd)
        fail_errno("creating /run/host/{}", name);
    write_all(fd.get(), content, std::string("/run/host/") + name);
}

/// One node of each type that nobody may touch: mounts hide other files behind them.
void make_inaccessible(int host) {
    if (::mkdirat(host, "inaccessible", 0755) < 0)
        fail_errno("creating /run/host/inaccessible");
    const unique_fd directory(::openat(host, "inaccessible", O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct Node {
        const char *name;
        mode_t type;
    };
    for (const Node &node : {Node{"reg", S_IFREG}, Node{"fifo", S_IFIFO}, Node{"sock", S_IFSOCK},
                             Node{"chr", S_IFCHR}, Node{"blk", S_IFBLK}})
        if (::mknodat(directory.get(), node.name, node.type, 0) < 0)
            fail_errno("creating /run/host/inaccessible/{}", node.name);
    if (::mkdirat(directory.get(), "dir", 0) < 0)
        fail_errno("creating /run/host/inaccessible/dir");
}

void bind_os_release(int host) {
    for (const char *path : {"/etc/os-release", "/usr/lib/os-release"}) {
        if (::access(path, F_OK) < 0)
            continue;
        const unique_fd copy = mounts::clone_tree(AT_FDCWD, path, false);
        mounts::set_attributes(copy.get(),
                               MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                               0, false);
        make_file(host, "os-release", "");
        const unique_fd target(::openat(host, "os-release", O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (!target)
            fail_errno("opening /run/host/os-release");
        mounts::attach(copy.get(), target.get(), "/run/host/os-release");
        return;
    }
}

unique_fd bind_notify_socket(int host) {
    unique_fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket)
        fail_errno("creating the notify socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // Through the descriptor: the tree's own path may be longer than a socket address.
    const std::string path = std::format("/proc/self/fd/{}/notify", host);
    std::memcpy(static_cast<char *>(address.sun_path), path.c_str(), path.size() + 1);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) < 0)
        fail_errno("binding the notify socket");
    if (::fchmodat(host, "notify", 0200, 0) < 0)
        fail_errno("setting the mode of the notify socket");
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        fail_errno("asking for credentials on the notify socket");
    return socket;
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

HostDir make(int root, const std::string &machine_uuid) {
    HostDir made;
    made.mount = mounts::new_filesystem(
        "tmpfs", {{"source", "tmpfs"}, {"mode", "0755"}, {"size", "4m"}, {"nr_inodes", "1k"}},
        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    const unique_fd target = rooted::make_directory(root, "/run/host");
    mounts::attach(made.mount.get(), target.get(), "/run/host");
    const int host = made.mount.get();
    make_file(host, "container-manager", "berth\n");
    make_file(host, "container-uuid", machine_uuid + "\n");
    if (::mkdirat(host, "incoming", 0600) < 0)
        fail_errno("creating /run/host/incoming");
    make_inaccessible(host);
    bind_os_release(host);
    made.notify = bind_notify_socket(host);
    return made;
}

void cover_kernel_files(int root, const std::string &boot_id) {
    const unique_fd inaccessible = rooted::open(root, "/run/host/inaccessible/reg", O_PATH);
    for (const char *path :
         {"/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list"})
        cover(root, path, mounts::clone_tree(inaccessible.get(), "", false));
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

void seal(const HostDir &host) {
    mounts::set_attributes(host.mount.get(), MOUNT_ATTR_RDONLY, 0, false);
}

} // namespace berth::host_dir
