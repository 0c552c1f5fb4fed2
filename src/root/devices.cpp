// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/devices.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <array>

#include "base/error.hpp"
#include "base/rooted.hpp"
#include "kernel/mounts.hpp"

namespace berth::devices {

namespace {

struct Node {
    const char *name;
    unsigned major;
    unsigned minor;
};
// Documentation/admin-guide/devices.txt
constexpr std::array nodes{
    Node{"null", 1, 3},   Node{"zero", 1, 5},    Node{"full", 1, 7},
    Node{"random", 1, 8}, Node{"urandom", 1, 9}, Node{"tty", 5, 0},
};

/// The group tty of all distributions, which systemd expects of devpts.
constexpr gid_t tty_group = 5;

struct Link {
    const char *name;
    const char *target;
};
constexpr std::array links{
    Link{"fd", "/proc/self/fd"},       Link{"stdin", "/proc/self/fd/0"}, Link{"stdout", "/proc/self/fd/1"},
    Link{"stderr", "/proc/self/fd/2"}, Link{"ptmx", "pts/ptmx"},
};

void give(int directory, const char *name, uid_t owner) {
    if (owner != 0 && ::fchownat(directory, name, owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
        fail_errno("setting the owner of /dev/{}", name);
}

void make_node(int directory, const Node &node, uid_t owner) {
    if (::mknodat(directory, node.name, S_IFCHR | 0666, ::makedev(node.major, node.minor)) < 0)
        fail_errno("creating /dev/{}", node.name);
    if (::fchmodat(directory, node.name, 0666, 0) < 0) // the umask took some
        fail_errno("setting the mode of /dev/{}", node.name);
    give(directory, node.name, owner);
}

void make_link(int directory, const Link &link, uid_t owner) {
    if (::symlinkat(link.target, directory, link.name) < 0)
        fail_errno("creating the link /dev/{}", link.name);
    give(directory, link.name, owner);
}

void make_folder(int directory, const char *name, uid_t owner) {
    if (::mkdirat(directory, name, 0755) < 0)
        fail_errno("creating /dev/{}", name);
    give(directory, name, owner);
}

unique_fd mount_below(int dev, const char *name, const std::string &type,
                      const std::vector<mounts::Option> &options, unsigned attributes) {
    const unique_fd target(::openat(dev, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!target)
        fail_errno("opening /dev/{}", name);
    unique_fd made = mounts::new_filesystem(type, options, attributes);
    mounts::attach(made.get(), target.get(), std::string("/dev/") + name);
    return made;
}

} // namespace

Owner owner_of(uid_t base, std::uint32_t count) {
    // Beyond the range there are users of the host's, or none.
    return {.root = base, .tty = tty_group < count ? base + tty_group : base};
}

unique_fd mount(int root, const Owner &of, const std::string &context) {
    const uid_t owner = of.root;
    const std::string id = std::to_string(owner);
    const auto tmpfs = [&](std::vector<mounts::Option> options, unsigned attributes) {
        options.insert(options.end(), {{"source", "tmpfs"}, {"uid", id}, {"gid", id}});
        if (!context.empty())
            options.emplace_back("context", context);
        return std::pair(options, attributes);
    };
    const unique_fd target = rooted::make_directory(root, "/dev");
    const auto [options, attributes] = tmpfs({{"mode", "0755"}, {"size", "4m"}, {"nr_inodes", "64k"}},
                                             MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
    const unique_fd made = mounts::new_filesystem("tmpfs", options, attributes);
    mounts::attach(made.get(), target.get(), "/dev");
    const int dev = made.get();
    for (const Node &node : nodes)
        make_node(dev, node, owner);
    for (const Link &link : links)
        make_link(dev, link, owner);
    for (const char *name : {"net", "pts", "shm", "mqueue"})
        make_folder(dev, name, owner);
    if (::access("/dev/fuse", F_OK) == 0) // the host's, which we still see
        make_node(dev, {"fuse", 10, 229}, owner);
    const unique_fd net(::openat(dev, "net", O_PATH | O_DIRECTORY | O_CLOEXEC));
    make_node(net.get(), {"tun", 10, 200}, owner);
    unique_fd pts = mount_below(dev, "pts", "devpts",
                                {{"source", "devpts"},
                                 {"newinstance", ""},
                                 {"ptmxmode", "0666"},
                                 {"mode", "620"},
                                 {"gid", std::to_string(of.tty)}},
                                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (owner != 0 && ::fchownat(pts.get(), "", owner, owner, AT_EMPTY_PATH) < 0)
        fail_errno("setting the owner of /dev/pts");
    const auto [shm, quiet] = tmpfs({{"mode", "01777"}, {"size", "10%"}},
                                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);
    (void)mount_below(dev, "shm", "tmpfs", shm, quiet);
    return pts;
}

Console make_console(int pts, const Owner &owner) {
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
    if (::fchmod(console.slave.get(), 0600) < 0 || ::fchown(console.slave.get(), owner.root, owner.tty) < 0)
        fail_errno("setting owner and mode of the console's pty");
    console.node = mounts::clone_tree(pty.get(), "", false);
    return console;
}

} // namespace berth::devices
