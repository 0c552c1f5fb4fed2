// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/devices.hpp"

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
#include "runtime/mounts.hpp"

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

struct Link {
    const char *name;
    const char *target;
};
constexpr std::array links{
    Link{"fd", "/proc/self/fd"},       Link{"stdin", "/proc/self/fd/0"}, Link{"stdout", "/proc/self/fd/1"},
    Link{"stderr", "/proc/self/fd/2"}, Link{"ptmx", "pts/ptmx"},
};

void make_node(int directory, const Node &node) {
    if (::mknodat(directory, node.name, S_IFCHR | 0666, ::makedev(node.major, node.minor)) < 0)
        fail_errno("creating /dev/{}", node.name);
    if (::fchmodat(directory, node.name, 0666, 0) < 0) // the umask took some
        fail_errno("setting the mode of /dev/{}", node.name);
}

void mount_below(int dev, const char *name, mode_t mode, const std::string &type,
                 const std::vector<mounts::Option> &options, unsigned attributes) {
    if (::mkdirat(dev, name, mode) < 0)
        fail_errno("creating /dev/{}", name);
    const unique_fd target(::openat(dev, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!target)
        fail_errno("opening /dev/{}", name);
    const unique_fd made = mounts::new_filesystem(type, options, attributes);
    mounts::attach(made.get(), target.get(), std::string("/dev/") + name);
}

} // namespace

void mount(int root) {
    const unique_fd target = rooted::make_directory(root, "/dev");
    const unique_fd tmpfs = mounts::new_filesystem(
        "tmpfs", {{"source", "tmpfs"}, {"mode", "0755"}, {"size", "4m"}, {"nr_inodes", "64k"}},
        MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
    mounts::attach(tmpfs.get(), target.get(), "/dev");
    const int dev = tmpfs.get();
    for (const Node &node : nodes)
        make_node(dev, node);
    for (const Link &link : links)
        if (::symlinkat(link.target, dev, link.name) < 0)
            fail_errno("creating the link /dev/{}", link.name);
    if (::mkdirat(dev, "net", 0755) < 0)
        fail_errno("creating /dev/net");
    if (::access("/dev/fuse", F_OK) == 0) // the host's, which we still see
        make_node(dev, {"fuse", 10, 229});
    const unique_fd net(::openat(dev, "net", O_PATH | O_DIRECTORY | O_CLOEXEC));
    make_node(net.get(), {"tun", 10, 200});
    constexpr unsigned quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    mount_below(
        dev, "pts", 0755, "devpts",
        {{"source", "devpts"}, {"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "620"}, {"gid", "5"}},
        quiet);
    mount_below(dev, "shm", 01777, "tmpfs", {{"source", "tmpfs"}, {"mode", "01777"}, {"size", "10%"}},
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);
    mount_below(dev, "mqueue", 0755, "mqueue", {{"source", "mqueue"}}, quiet | MOUNT_ATTR_NODEV);
}

Console make_console(int root) {
    Console console{.master = rooted::open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK),
                    .slave = {}};
    int locked = 0;
    if (::ioctl(console.master.get(), TIOCSPTLCK, &locked) < 0)
        fail_errno("unlocking the console's pty");
    console.slave.reset(::ioctl(console.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!console.slave)
        fail_errno("opening the console's pty");
    unsigned number = 0;
    if (::ioctl(console.master.get(), TIOCGPTN, &number) < 0)
        fail_errno("asking for the number of the console's pty");

    const unique_fd pty = rooted::open(root, std::format("/dev/pts/{}", number), O_PATH);
    if (::fchmod(console.slave.get(), 0600) < 0)
        fail_errno("setting the mode of the console's pty");
    const unique_fd copy = mounts::clone_tree(pty.get(), "", false);
    const unique_fd target = rooted::make_mount_file(root, "/dev/console", 0600);
    mounts::attach(copy.get(), target.get(), "/dev/console");
    return console;
}

} // namespace berth::devices
