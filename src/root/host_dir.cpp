// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/host_dir.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/rooted.hpp"
#include "kernel/mounts.hpp"

namespace berth::host_dir {

namespace {

void give(int directory, const char *name, uid_t owner) {
    if (owner != 0 && ::fchownat(directory, name, owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
        fail_errno("setting the owner of {} in /run/host", name);
}

void make_file(int directory, const char *name, std::string_view content, mode_t mode, uid_t owner) {
    const unique_fd fd(::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd)
        fail_errno("creating {} in /run/host", name);
    write_all(fd.get(), content, name);
    give(directory, name, owner);
}

unique_fd make_folder(int directory, const char *name, mode_t mode, uid_t owner) {
    if (::mkdirat(directory, name, mode) < 0)
        fail_errno("creating {} in /run/host", name);
    give(directory, name, owner);
    unique_fd fd(::openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd)
        fail_errno("opening {} in /run/host", name);
    return fd;
}

constexpr int pass_rights = 83; // SO_PASSRIGHTS of <asm-generic/socket.h>

struct Node {
    const char *name;
    mode_t type;
};
constexpr std::array nodes{Node{"reg", S_IFREG}, Node{"fifo", S_IFIFO}, Node{"sock", S_IFSOCK},
                           Node{"chr", S_IFCHR}, Node{"blk", S_IFBLK}};

/// One node of each type that nobody may touch: mounts hide other files behind them.
void make_inaccessible(int host, uid_t owner) {
    const unique_fd directory = make_folder(host, "inaccessible", 0755, owner);
    for (const Node &node : nodes) {
        if (::mknodat(directory.get(), node.name, node.type, 0) < 0) {
            if (errno == EPERM && (S_ISCHR(node.type) || S_ISBLK(node.type)))
                continue; // we may make no devices: a file has to do
            fail_errno("creating /run/host/inaccessible/{}", node.name);
        }
        give(directory.get(), node.name, owner);
    }
    (void)make_folder(directory.get(), "dir", 0, owner);
}

void copy_os_release(int host, uid_t owner) {
    for (const char *path : {"/etc/os-release", "/usr/lib/os-release"})
        if (const auto text = read_file_if_there(path)) {
            make_file(host, "os-release", *text, 0444, owner);
            return;
        }
}

/// Of a file, or of whoever listens there (systemd.exec(5), "LoadCredential=").
std::string read_credential(const std::string &path) {
    struct stat st{};
    if (::stat(path.c_str(), &st) < 0 || !S_ISSOCK(st.st_mode))
        return read_file(path);
    const unique_fd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
    const unique_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!place || !socket)
        fail_errno("opening {}", path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // Through the descriptor: the path may be longer than a socket address.
    descriptor_path(place.get()).copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) < 0)
        fail_errno("connecting to {}", path);
    return read_all(socket.get(), path);
}

void make_credentials(int host, const LaunchPlan &plan, uid_t owner) {
    if (plan.credentials.empty())
        return;
    const bool open = plan.open_credentials;
    const unique_fd directory = make_folder(host, "credentials", open ? 0755 : 0700, owner);
    for (const Credential &credential : plan.credentials) {
        try {
            const std::string content =
                credential.is_path ? read_credential(credential.value) : credential.value;
            (void)::unlinkat(directory.get(), credential.id.c_str(), 0); // the last one counts
            make_file(directory.get(), credential.id.c_str(), content, open ? 0444 : 0400, owner);
        } catch (const Error &error) {
            throw Error(credential.origin.text + ": " + error.what(), error.code());
        }
    }
}

unique_fd bind_notify_socket(int host, uid_t owner) {
    unique_fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket)
        fail_errno("creating the notify socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // Through the descriptor: the tree's own path may be longer than a socket address.
    const std::string path = berth::format("/proc/self/fd/{}/notify", host);
    std::memcpy(static_cast<char *>(address.sun_path), path.c_str(), path.size() + 1);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) < 0)
        fail_errno("binding the notify socket");
    if (::fchmodat(host, "notify", 0200, 0) < 0)
        fail_errno("setting the mode of the notify socket");
    give(host, "notify", owner);
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        fail_errno("asking for credentials on the notify socket");
    // Closing what comes with a message may take as long as its sender likes (SO_LINGER). Kernels before
    // Linux 6.16 cannot be told to leave it out.
    const int off = 0;
    (void)::setsockopt(socket.get(), SOL_SOCKET, pass_rights, &off, sizeof off);
    return socket;
}

} // namespace

HostDir make(int mount, const LaunchPlan &plan, uid_t owner, const UnixExport &exported) {
    HostDir made;
    made.mount = duplicate(mount);
    const int host = made.mount.get();
    make_file(host, "container-manager", plan.container + "\n", 0444, owner);
    make_file(host, "container-uuid", uuid_of(plan.machine_id) + "\n", 0444, owner);
    (void)make_folder(host, "incoming", 0600, owner);
    make_inaccessible(host, owner);
    copy_os_release(host, owner);
    make_credentials(host, plan, owner);
    if (const unique_fd shared = exported.clone()) {
        const unique_fd at = make_folder(host, "unix-export", 0755, owner);
        mounts::attach(shared.get(), at.get(), "/run/host/unix-export");
    }
    made.notify = bind_notify_socket(host, owner);
    return made;
}

void seal(const HostDir &host) {
    mounts::set_attributes(host.mount.get(), MOUNT_ATTR_RDONLY, 0, false);
}

unique_fd inaccessible(const HostDir &host, mode_t mode) {
    const auto *const node = std::ranges::find(nodes, mode & S_IFMT, &Node::type);
    const char *name = node == nodes.end() ? "dir" : node->name;
    unique_fd at = rooted::try_open(host.mount.get(), std::string("inaccessible/") + name, O_PATH);
    if (!at)
        at = rooted::open(host.mount.get(), "inaccessible/reg", O_PATH);
    unique_fd mount = mounts::clone_tree(at.get(), "", false);
    mounts::set_attributes(mount.get(), MOUNT_ATTR_RDONLY, 0, false);
    return mount;
}

} // namespace berth::host_dir
