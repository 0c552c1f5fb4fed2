// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/devices.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/rooted.hpp"
#include "kernel/mounts.hpp"

namespace berth::devices {

namespace {

/// The group tty of all distributions.
constexpr gid_t tty_group = 5;

void give(int directory, const std::string &name, uid_t owner) {
    if (owner != 0 && ::fchownat(directory, name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
        fail_errno("setting the owner of /dev/{}", name);
}

/// The path of something in /dev, as seen from there. Folders above it are made.
std::string name_in(int dev, const std::string &path, uid_t owner) {
    constexpr std::string_view top = "/dev/";
    if (!path.starts_with(top))
        fail("{} is not in /dev", path);
    std::string name = path.substr(top.size());
    for (auto at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
        const std::string folder = name.substr(0, at);
        if (::mkdirat(dev, folder.c_str(), 0755) == 0)
            give(dev, folder, owner);
        else if (errno != EEXIST)
            fail_errno("creating /dev/{}", folder);
    }
    return name;
}

/// Binds the host's node where we may make none: without CAP_MKNOD, or where our control group forbids it.
void bind_node(const DevicePlan &node, int dev, const std::string &name, int code) {
    const unique_fd source(::open(node.path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
    struct stat st{};
    if (!source || ::fstat(source.get(), &st) < 0) {
        if (errno == ENOENT)
            return;
        fail_errno("opening the host's {}", node.path);
    }
    if ((st.st_mode & S_IFMT) != (node.mode & S_IFMT) || st.st_rdev != ::makedev(node.major, node.minor))
        fail_code(code, "creating {}", node.path);
    const unique_fd target(::openat(dev, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!target)
        fail_errno("creating {}", node.path);
    const unique_fd mount = mounts::clone_tree(source.get(), "", false);
    // Its mode and owner are the host's affair.
    mounts::set_attributes(mount.get(), MOUNT_ATTR_RDONLY, 0, false);
    mounts::attach(mount.get(), target.get(), node.path);
}

void make_node(const DevicePlan &node, int dev, uid_t owner) {
    const std::string name = name_in(dev, node.path, owner);
    if (::mknodat(dev, name.c_str(), node.mode, ::makedev(node.major, node.minor)) < 0) {
        if (errno == EPERM)
            return bind_node(node, dev, name, errno);
        fail_errno("creating {}", node.path);
    }
    if (::fchmodat(dev, name.c_str(), node.mode & 07777, 0) < 0) // the umask took some
        fail_errno("setting the mode of {}", node.path);
    give(dev, name, owner);
}

} // namespace

void make(const ApiPlan &plan, int dev, const IdMaps &ids) {
    const uid_t owner = ids.base();
    for (const DevicePlan &node : plan.devices)
        make_node(node, dev, owner);
    for (const LinkPlan &link : plan.links) {
        const std::string name = name_in(dev, link.path, owner);
        if (::symlinkat(link.target.c_str(), dev, name.c_str()) < 0)
            fail_errno("creating the link {}", link.path);
        give(dev, name, owner);
    }
}

Console make_console(int pts, const IdMaps &ids) {
    Console console{
        .master = rooted::open(pts, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), .slave = {}, .node = {}};
    int locked = 0;
    if (::ioctl(console.master.get(), TIOCSPTLCK, &locked) < 0)
        fail_errno("unlocking the console's pty");
    console.slave.reset(::ioctl(console.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!console.slave)
        fail_errno("opening the console's pty");
    unsigned number = 0;
    if (::ioctl(console.master.get(), TIOCGPTN, &number) < 0)
        fail_errno("asking for the number of the console's pty");

    const unique_fd pty = rooted::open(pts, std::to_string(number), O_PATH);
    if (::fchmod(console.slave.get(), 0600) < 0
        || ::fchown(console.slave.get(), ids.base(), ids.host_id(tty_group)) < 0)
        fail_errno("setting owner and mode of the console's pty");
    console.node = mounts::clone_tree(pty.get(), "", false);
    return console;
}

} // namespace berth::devices
