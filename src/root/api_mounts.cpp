// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/api_mounts.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/pidfd.hpp"
#include "base/rooted.hpp"
#include "kernel/entering.hpp"
#include "kernel/mounts.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"

namespace berth::api_mounts {

namespace {

using namespace std::chrono_literals;

constexpr auto deadline = 30s;

constexpr unsigned quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;

unique_fd mount_one(int root, const std::string &type, const std::string &path,
                    const std::vector<mounts::Option> &options, unsigned attributes) {
    const unique_fd target = rooted::make_directory(root, path);
    unique_fd made = mounts::new_filesystem(type, options, attributes);
    mounts::attach(made.get(), target.get(), path);
    return made;
}

/// Mounts `path` below the mount `base` on itself, with other attributes. Missing ones are no error: not
/// every kernel has them all.
void remount(int base, const std::string &path, unsigned attributes) {
    const unique_fd target = rooted::try_open(base, path, O_PATH);
    if (!target) {
        if (errno == ENOENT)
            return;
        fail_errno("opening {} in the tree", path);
    }
    const unique_fd copy = mounts::clone_tree(target.get(), "", false);
    mounts::set_attributes(copy.get(), attributes, 0, false);
    mounts::attach(copy.get(), target.get(), path);
}

/// Mounts the detached file `mount` over `path` of /proc. A missing path is no error: not every kernel has
/// them all.
void cover(int proc, const char *path, const unique_fd &mount) {
    const unique_fd target = rooted::try_open(proc, path, O_PATH);
    if (!target) {
        if (errno == ENOENT)
            return;
        fail_errno("opening /proc/{} in the tree", path);
    }
    mounts::attach(mount.get(), target.get(), std::string("/proc/") + path);
}

/// Files that would tell of the host.
constexpr std::array hidden{"kallsyms", "kcore", "keys", "sysrq-trigger", "timer_list"};

/// A number in a machine's pid namespace that none of its own processes can have had yet. Taking it by name
/// leaves the kernel's count of them as it is.
constexpr pid_t passing_pid = 299;

/// In a process of its own, which a pid namespace takes to be entered.
void enter_and_make(int leader, int socket) {
    if (::setns(leader, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC) < 0)
        fail_errno("entering the machine's namespaces");
    const namespaces::Child child = namespaces::fork_as(passing_pid);
    if (child.pid != 0) {
        pidfd::reap(child.pidfd.get());
        return;
    }
    entering::run_child(socket, [&] {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        const Kernel kernel = make();
        protocol::send(socket, protocol::Kind::mounted, 0, {},
                       {kernel.proc.get(), kernel.sys.get(), kernel.mqueue.get()});
    });
}

} // namespace

unique_fd mount_temporary(int root, uid_t owner, const std::string &context) {
    const auto tmpfs = [&](const char *path, std::vector<mounts::Option> options) {
        const std::string id = std::to_string(owner);
        options.insert(options.end(), {{"source", "tmpfs"}, {"uid", id}, {"gid", id}});
        if (!context.empty())
            options.emplace_back("context", context);
        return mount_one(root, "tmpfs", path, options,
                         MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);
    };
    unique_fd run = tmpfs("/run", {{"mode", "0755"}, {"size", "20%"}, {"nr_inodes", "800k"}});
    (void)tmpfs("/tmp", {{"mode", "01777"}, {"size", "10%"}, {"nr_inodes", "1m"}});
    for (const char *path : {"/proc", "/sys"})
        (void)rooted::make_directory(root, path);
    return run;
}

Covers make_covers(const host_dir::HostDir &host, int run, const std::string &boot_id) {
    Covers covers;
    const auto settle = [](unique_fd mount) {
        mounts::set_attributes(mount.get(), quiet | MOUNT_ATTR_RDONLY, 0, false);
        return mount;
    };
    for (std::size_t i = 0; i < hidden.size(); ++i)
        covers.hiding.push_back(settle(host_dir::inaccessible(host, S_IFREG)));
    covers.run = duplicate(run);
    if (::mkfifoat(run, "kmsg", 0600) < 0)
        fail_errno("creating a fifo in place of /proc/kmsg");
    covers.kmsg = settle(mounts::clone_tree(run, "kmsg", false));
    const unique_fd id(::openat(run, "boot_id", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (!id)
        fail_errno("creating a boot ID");
    write_all(id.get(), boot_id + "\n", "the boot ID");
    covers.boot_id = settle(mounts::clone_tree(run, "boot_id", false));
    return covers;
}

Kernel make(const Shown &shown) {
    const auto one = [](bool wanted, const char *type) {
        return wanted ? mounts::new_filesystem(type, {{"source", type}}, quiet) : unique_fd();
    };
    return {.proc = one(shown.proc, "proc"),
            .sys = one(shown.sys, "sysfs"),
            .mqueue = one(shown.mqueue, "mqueue")};
}

Kernel make_for(int leader) {
    auto [ours, theirs] = protocol::make_pair();
    const namespaces::Child helper = namespaces::fork_into(0);
    if (helper.pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        entering::run_child(theirs.get(), [&] { enter_and_make(leader, theirs.get()); });
    }
    theirs.reset();
    struct Ended {
        int pidfd;
        ~Ended() { pidfd::end(pidfd); }
    };
    const Ended ended{helper.pidfd.get()};
    protocol::Message message =
        protocol::expect(ours.get(), protocol::Kind::mounted, deadline, "mounting the machine's /proc");
    // Its end is that of both processes: none of ours is left among the machine's.
    (void)protocol::expect(ours.get(), protocol::Kind::end, deadline, "mounting the machine's /proc");
    if (message.fds.size() != 3)
        fail("{} mounts came of the machine's namespaces", message.fds.size());
    return {.proc = std::move(message.fds[0]),
            .sys = std::move(message.fds[1]),
            .mqueue = std::move(message.fds[2])};
}

void attach(int root, const Kernel &kernel) {
    for (const auto &[path, mount] : {std::pair{"/proc", kernel.proc.get()},
                                      {"/sys", kernel.sys.get()},
                                      {"/dev/mqueue", kernel.mqueue.get()}})
        if (mount >= 0)
            mounts::attach(mount, rooted::open(root, path, O_PATH | O_DIRECTORY).get(), path);
}

void restrict(const Kernel &kernel, Covers covers, bool private_network) {
    const int proc = kernel.proc.get();
    unique_fd net;
    if (private_network)
        net = mounts::clone_tree(rooted::open(proc, "sys/net", O_PATH).get(), "", false);
    remount(proc, "sys", quiet | MOUNT_ATTR_RDONLY);
    if (net)
        mounts::attach(net.get(), rooted::open(proc, "sys/net", O_PATH).get(), "/proc/sys/net");
    for (const char *path : {"acpi", "apm", "asound", "bus", "fs", "irq", "scsi"})
        remount(proc, path, quiet | MOUNT_ATTR_RDONLY);
    for (std::size_t i = 0; i < hidden.size(); ++i)
        cover(proc, hidden[i], covers.hiding[i]);
    cover(proc, "kmsg", covers.kmsg);
    cover(proc, "sys/kernel/random/boot_id", covers.boot_id);
    for (const char *name : {"kmsg", "boot_id"})
        if (::unlinkat(covers.run.get(), name, 0) < 0)
            fail_errno("removing /run/{}", name);
    if (kernel.sys)
        mounts::set_attributes(kernel.sys.get(), MOUNT_ATTR_RDONLY, 0, false);
}

void hide_from_root(const Kernel &kernel, const host_dir::HostDir &host) {
    const auto hide = [&](int base, const char *path) {
        const unique_fd target = rooted::try_open(base, path, O_PATH);
        struct stat st{};
        if (target && ::fstat(target.get(), &st) == 0)
            mounts::attach(host_dir::inaccessible(host, st.st_mode).get(), target.get(), path);
    };
    for (const char *path : {"driver", "dynamic_debug", "kpagecgroup", "kpagecount", "kpageflags",
                             "latency_stats", "pagetypeinfo", "sched_debug", "slabinfo", "vmallocinfo"})
        hide(kernel.proc.get(), path);
    for (const char *path : {"firmware", "devices/virtual/powercap"})
        hide(kernel.sys.get(), path);
}

void mount_cgroup(int root) {
    const unique_fd target = rooted::open(root, "/sys/fs/cgroup", O_PATH | O_DIRECTORY);
    const unique_fd made = mounts::new_filesystem("cgroup2", {{"source", "cgroup"}}, quiet);
    mounts::attach(made.get(), target.get(), "/sys/fs/cgroup");
}

} // namespace berth::api_mounts
