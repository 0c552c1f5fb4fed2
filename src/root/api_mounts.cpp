// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/api_mounts.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/pidfd.hpp"
#include "base/rooted.hpp"
#include "base/same_file.hpp"
#include "kernel/entering.hpp"
#include "kernel/mounts.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"

namespace berth::api_mounts {

namespace {

using namespace std::chrono_literals;
using Kind = CoverPlan::Kind;

constexpr auto deadline = 30s;

constexpr unsigned quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;

bool is_below(const std::string &path, std::string_view place) {
    return path.starts_with(place) && (path.size() == place.size() || path[place.size()] == '/');
}

unique_fd new_mount(const FilesystemPlan &plan, const IdMaps &ids) {
    std::vector<mounts::Option> options;
    for (const auto &[key, value] : plan.options)
        options.emplace_back(key, key == "uid" || key == "gid" ? ids.host_id(value) : value);
    return mounts::new_filesystem(plan.type, options, plan.attributes);
}

/// Of the namespace that we are in. What shows a network that is neither ours nor the machine's, as in a
/// machine that shares the host's, is what we see of it ourselves.
unique_fd shown_mount(const FilesystemPlan &plan, std::uint64_t others) {
    try {
        return new_mount(plan, IdMaps());
    } catch (const Error &error) {
        if (error.code() != EPERM || plan.type != "sysfs" || (others & CLONE_NEWNET) == 0)
            throw;
    }
    unique_fd copy = mounts::clone_tree(AT_FDCWD, plan.path, true);
    mounts::set_attributes(copy.get(), plan.attributes, 0, true);
    return copy;
}

/// A directory for a mount. In mounts of the machine's own it is made for its root.
unique_fd directory_for(const std::string &path, int root, const Mounts &made, uid_t owner) {
    const Place place = place_of(path, root, made);
    if (place.root == root)
        return rooted::make_directory(root, path);
    if (::mkdirat(place.root, place.path.c_str(), 0755) == 0) {
        if (owner != 0 && ::fchownat(place.root, place.path.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
            fail_errno("setting the owner of {}", path);
    } else if (errno != EEXIST) {
        fail_errno("creating {}", path);
    }
    return rooted::open_plain(place.root, place.path, O_PATH | O_DIRECTORY);
}

/// A number in a machine's pid namespace that none of its own processes can have had yet. Taking it by name
/// leaves the kernel's count of them as it is.
constexpr pid_t passing_pid = 299;

/// Those of the namespaces shown in which the process behind the pidfd is, and we are not. Ours need not be
/// ours to enter.
int foreign_namespaces(int leader) {
    const pid_t pid = pidfd::pid_of(leader);
    int flags = 0;
    for (const auto &[name, flag] :
         {std::pair{"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC}}) {
        struct stat ours{};
        struct stat theirs{};
        if (::stat(berth::format("/proc/self/ns/{}", name).c_str(), &ours) < 0
            || ::stat(berth::format("/proc/{}/ns/{}", pid, name).c_str(), &theirs) < 0)
            fail_errno("looking at the machine's namespaces");
        if (!is_same_file(ours, theirs))
            flags |= flag;
    }
    return flags;
}

/// In a process of its own, which a pid namespace takes to be entered.
void enter_and_make(const ApiPlan &plan, std::uint64_t shown, std::uint64_t others, int leader, int socket) {
    if (::setns(leader, foreign_namespaces(leader)) < 0)
        fail_errno("entering the machine's namespaces");
    const namespaces::Child child = namespaces::fork_as(passing_pid);
    if (child.pid != 0) {
        pidfd::reap(child.pidfd.get());
        return;
    }
    entering::run_child(socket, [&] {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        const Mounts made = make(plan, shown, others);
        std::vector<int> fds;
        for (const Mount &mount : made)
            fds.push_back(mount.fd.get());
        protocol::send(socket, protocol::Kind::mounted, 0, {}, fds);
    });
}

/// A detached mount of the file `name`, which `write` makes, in `directory`.
template <class Write> unique_fd file_mount(int directory, const std::string &name, Write write) {
    write(name.c_str());
    return mounts::clone_tree(directory, name, false);
}

unique_fd make_cover(const CoverPlan &plan, const host_dir::HostDir &host, int directory,
                     const std::string &name) {
    switch (plan.kind) {
    case Kind::read_only:
    case Kind::writable: return {};
    case Kind::inaccessible: return host_dir::inaccessible(host, S_IFREG);
    case Kind::fifo:
        return file_mount(directory, name, [&](const char *file) {
            if (::mkfifoat(directory, file, 0600) < 0)
                fail_errno("creating a fifo in place of {}", plan.path);
        });
    case Kind::text:
        return file_mount(directory, name, [&](const char *file) {
            const unique_fd fd(::openat(directory, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
            if (!fd)
                fail_errno("creating a file in place of {}", plan.path);
            write_all(fd.get(), plan.text, plan.path);
        });
    }
    return {};
}

/// What is at the path, by the mounts themselves. Empty where it is missing.
unique_fd find(const CoverPlan &plan, const Mounts &on) {
    const Place place = place_of(plan.path, -1, on);
    if (place.root < 0)
        return {};
    unique_fd target = rooted::try_open(place.root, place.path, O_PATH);
    if (!target && errno != ENOENT)
        fail_errno("opening {} in the tree", plan.path);
    return target;
}

/// A copy of what is there, before anything covers it.
unique_fd copy_of(const CoverPlan &plan, const Mounts &on) {
    const unique_fd target = find(plan, on);
    if (!target)
        return {};
    unique_fd copy = mounts::clone_tree(target.get(), "", false);
    if (plan.kind == Kind::read_only)
        mounts::set_attributes(copy.get(), quiet | MOUNT_ATTR_RDONLY, 0, false);
    return copy;
}

} // namespace

Place place_of(const std::string &path, int root, const Mounts &mounts) {
    Place place{.root = root, .path = path};
    std::size_t longest = 0;
    for (const Mount &mount : mounts)
        if (mount.fd && mount.path.size() >= longest && is_below(path, mount.path)) {
            longest = mount.path.size();
            place = {.root = mount.fd.get(), .path = path.substr(std::min(longest + 1, path.size()))};
        }
    return place;
}

int at(const Mounts &mounts, std::string_view path) {
    const auto found = std::ranges::find(mounts, path, &Mount::path);
    if (found == mounts.end())
        fail("the plan has nothing mounted on {}", path);
    return found->fd.get();
}

std::uint64_t namespace_shown_by(std::string_view type) {
    return type == "proc"      ? CLONE_NEWPID
           : type == "sysfs"   ? CLONE_NEWNET
           : type == "mqueue"  ? CLONE_NEWIPC
           : type == "cgroup2" ? CLONE_NEWCGROUP
                               : 0;
}

bool is_late(const ApiPlan &plan, const std::string &path) {
    return std::ranges::any_of(plan.filesystems, [&](const FilesystemPlan &filesystem) {
        return namespace_shown_by(filesystem.type) != 0 && is_below(path, filesystem.path);
    });
}

Mounts mount_early(const ApiPlan &plan, int root, const IdMaps &ids) {
    Mounts made;
    for (const FilesystemPlan &filesystem : plan.filesystems) {
        const bool late = namespace_shown_by(filesystem.type) != 0;
        if (late && is_late(plan, filesystem.path.substr(0, filesystem.path.rfind('/'))))
            continue; // its directory is in another of these
        const unique_fd target = directory_for(filesystem.path, root, made, ids.base());
        if (late)
            continue;
        unique_fd mount = new_mount(filesystem, ids);
        mounts::attach(mount.get(), target.get(), filesystem.path);
        // The root of devpts is the host's, whatever its options are.
        if (filesystem.type == "devpts" && ids.base() != 0
            && ::fchownat(mount.get(), "", ids.base(), ids.base(), AT_EMPTY_PATH) < 0)
            fail_errno("setting the owner of {}", filesystem.path);
        made.push_back({filesystem.path, std::move(mount)});
    }
    return made;
}

Covers make_covers(const ApiPlan &plan, const host_dir::HostDir &host, int directory) {
    Covers covers;
    covers.named = duplicate(directory);
    for (const CoverPlan &cover : plan.covers) {
        const std::string name = ".cover-" + std::to_string(covers.mounts.size());
        unique_fd mount = cover.of_host_root ? unique_fd() : make_cover(cover, host, directory, name);
        if (mount)
            mounts::set_attributes(mount.get(), quiet | MOUNT_ATTR_RDONLY, 0, false);
        if (cover.kind == Kind::fifo || cover.kind == Kind::text)
            covers.names.push_back(name);
        covers.mounts.push_back(std::move(mount));
    }
    return covers;
}

Mounts make(const ApiPlan &plan, std::uint64_t shown, std::uint64_t others) {
    Mounts made;
    for (const FilesystemPlan &filesystem : plan.filesystems)
        if ((namespace_shown_by(filesystem.type) & shown) != 0)
            made.push_back({filesystem.path, shown_mount(filesystem, others)});
    return made;
}

Mounts make_for(const ApiPlan &plan, std::uint64_t shown, std::uint64_t others, int leader) {
    auto [ours, theirs] = protocol::make_pair();
    const namespaces::Child helper = namespaces::fork_into(0);
    if (helper.pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        entering::run_child(theirs.get(), [&] { enter_and_make(plan, shown, others, leader, theirs.get()); });
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
    return from_descriptors(plan, shown, std::move(message.fds));
}

bool are_covered() {
    constexpr std::array places{"/proc/sys",           "/proc/kcore",
                                "/proc/kallsyms",      "/proc/keys",
                                "/proc/sysrq-trigger", "/proc/acpi",
                                "/proc/apm",           "/proc/asound",
                                "/proc/bus",           "/proc/fs",
                                "/proc/irq",           "/proc/scsi",
                                "/proc/timer_list",    "/proc/slabinfo",
                                "/proc/sched_debug",   "/proc/vmallocinfo",
                                "/proc/interrupts",    "/proc/kmsg",
                                "/sys/firmware",       "/sys/module",
                                "/sys/kernel",         "/sys/devices/virtual/powercap"};
    return std::ranges::any_of(places, [](const char *place) {
        struct statx st{};
        return ::statx(AT_FDCWD, place, AT_SYMLINK_NOFOLLOW, 0, &st) == 0
               && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    });
}

Mounts from_descriptors(const ApiPlan &plan, std::uint64_t shown, std::vector<unique_fd> fds) {
    Mounts made;
    auto fd = fds.begin();
    for (const FilesystemPlan &filesystem : plan.filesystems)
        if ((namespace_shown_by(filesystem.type) & shown) != 0 && fd != fds.end())
            made.push_back({filesystem.path, std::move(*fd++)});
    if (made.empty() || fd != fds.end()
        || made.size()
               != static_cast<std::size_t>(
                   std::ranges::count_if(plan.filesystems, [&](const auto &filesystem) {
                       return (namespace_shown_by(filesystem.type) & shown) != 0;
                   })))
        fail("{} mounts came of the machine's namespaces", fds.size());
    return made;
}

void attach(int root, const Mounts &mounts, const Mounts &earlier) {
    for (const Mount &mount : mounts) {
        const Place place = place_of(mount.path, root, earlier);
        if (place.root == root) {
            const unique_fd target = rooted::try_open(root, mount.path, O_PATH | O_DIRECTORY);
            // What is mounted over its directory may have none for it. /proc and /sys come before all that.
            if (!target && errno == ENOENT && mount.path != "/proc" && mount.path != "/sys")
                continue;
            if (!target)
                fail_errno("opening {} in the tree", mount.path);
            mounts::attach(mount.fd.get(), target.get(), mount.path);
            continue;
        }
        const unique_fd target = rooted::open_plain(place.root, place.path, O_PATH | O_DIRECTORY);
        mounts::attach(mount.fd.get(), target.get(), mount.path);
    }
}

void cover(const ApiPlan &plan, const Mounts &mounts, Covers covers, const host_dir::HostDir &host,
           bool of_host_root) {
    for (std::size_t i = 0; i < plan.covers.size(); ++i)
        if (const Kind kind = plan.covers[i].kind; kind == Kind::read_only || kind == Kind::writable)
            covers.mounts[i] = copy_of(plan.covers[i], mounts);
    for (std::size_t i = 0; i < plan.covers.size(); ++i) {
        const CoverPlan &cover = plan.covers[i];
        if (cover.of_host_root && !of_host_root)
            continue;
        const unique_fd target = find(cover, mounts);
        if (!target)
            continue;
        struct stat st{};
        if (cover.of_host_root && ::fstat(target.get(), &st) == 0)
            covers.mounts[i] = host_dir::inaccessible(host, st.st_mode);
        if (covers.mounts[i])
            mounts::attach(covers.mounts[i].get(), target.get(), cover.path);
    }
    for (const std::string &name : covers.names)
        if (::unlinkat(covers.named.get(), name.c_str(), 0) < 0)
            fail_errno("removing /run/{}", name);
}

} // namespace berth::api_mounts
