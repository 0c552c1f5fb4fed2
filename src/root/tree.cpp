// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/tree.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/rooted.hpp"
#include "kernel/fs_identity.hpp"
#include "kernel/mounts.hpp"
#include "root/api_mounts.hpp"
#include "root/bound_users.hpp"
#include "root/devices.hpp"
#include "root/host_files.hpp"
#include "root/sources.hpp"

namespace berth::tree {

namespace {

unique_fd open_staging() {
    unique_fd fd(::open(root::staging, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening {}", root::staging);
    return fd;
}

/// Attaches the tree at the staging place, and what becomes / instead of it on top. `old` is a copy
/// of the former when it is to be seen inside.
unique_fd attach_root(const LaunchPlan &plan, const Parts &parts, unique_fd &base, unique_fd &old) {
    base = root::make(plan.root, parts.opened, parts.ids, parts.image);
    mounts::attach(base.get(), open_staging().get(), "the root");
    if (!plan.root.pivot_old.empty())
        old = mounts::clone_tree(base.get(), "", true); // before anything covers it
    unique_fd root = root::derive(plan.root, base.get(), parts.ids);
    if (!root)
        return duplicate(base.get());
    mounts::attach(root.get(), open_staging().get(), "the root");
    return root;
}

/// What the image has beside its root, before the root covers the places where that is mounted. Not
/// to be called as the machine's root: folders of ours are made.
std::vector<unique_fd> open_partitions(const LaunchPlan &plan, const Parts &parts) {
    std::vector<unique_fd> opened;
    for (std::size_t i = 1; i < parts.image.size(); ++i) {
        const std::string &place = parts.image[i].place;
        opened.push_back(plan.root.upper == Upper::Kind::ephemeral
                             ? root::ephemeral_overlay(plan.root, place, i, parts.ids)
                             : mounts::clone_tree(AT_FDCWD, place, false));
    }
    return opened;
}

void attach_partitions(const Parts &parts, int root, const std::vector<unique_fd> &opened) {
    for (std::size_t i = 0; i < opened.size(); ++i) {
        const std::string &path = parts.image[i + 1].path;
        const unique_fd target = rooted::make_directory(root, path);
        mounts::attach(opened[i].get(), target.get(), path);
    }
}

void attach_former_root(const LaunchPlan &plan, int root, const unique_fd &old) {
    if (!old)
        return;
    const unique_fd target = rooted::make_directory(root, plan.root.pivot_old);
    mounts::attach(old.get(), target.get(), plan.root.pivot_old);
}

bool is_below(const std::string &path, std::string_view place) {
    return path == place || path.starts_with(std::string(place) + "/");
}

/// What shows the machine's namespaces covers what is below it.
bool is_late(const MountPlan &mount) {
    return is_below(mount.destination, "/proc") || is_below(mount.destination, "/sys")
           || is_below(mount.destination, "/dev/mqueue");
}

std::uint64_t mount_of(int fd) {
    struct statx st{};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
        fail_errno("looking at a directory of the tree");
    return st.stx_mnt_id;
}

/// Whether the last directory of `path` that there is lies in the tree itself, not on a mount.
bool is_of_tree(std::filesystem::path path, int root) {
    for (;; path = path.parent_path()) {
        const unique_fd there = rooted::try_open(root, path.native(), O_PATH);
        if (there)
            return mount_of(there.get()) == mount_of(root);
        if (errno != ENOENT || path == path.parent_path())
            return false;
    }
}

/// What is mounted on. Where links may have led us into what is bound from the host, nothing is made
/// that the machine's root could not make.
unique_fd place_for(const std::string &destination, int root, bool directory, uid_t owner,
                    mode_t mode = 0644) {
    const auto make = [&] {
        return directory ? rooted::make_directory(root, destination)
                         : rooted::make_mount_file(root, destination, mode);
    };
    try {
        const PlainRights plain(owner);
        return make();
    } catch (const Error &error) {
        if (error.code() != EACCES || !is_of_tree(destination, root))
            throw;
    }
    return make();
}

/// Where a mount goes: a path below a directory.
struct Place {
    int root;
    std::string path;
};

/// By the mounts themselves for what is below /proc and /sys: what those names lead to may be another.
Place place_of(const std::string &destination, int root, const api_mounts::Kernel &kernel) {
    for (const auto &[name, mount] : {std::pair{"/proc", kernel.proc.get()}, {"/sys", kernel.sys.get()}})
        if (mount >= 0 && is_below(destination, name))
            return {.root = mount, .path = destination.substr(std::string_view(name).size())};
    return {.root = root, .path = destination};
}

void attach_source(const MountPlan &mount, const Place &place, const host_dir::HostDir &host,
                   const unique_fd &source, uid_t owner) {
    try {
        if (mount.kind == MountConfig::Kind::inaccessible) {
            const unique_fd target = rooted::open(place.root, place.path, O_PATH);
            struct stat st{};
            if (::fstat(target.get(), &st) < 0)
                fail_errno("looking at {}", mount.destination);
            mounts::attach(host_dir::inaccessible(host, st.st_mode).get(), target.get(), mount.destination);
            return;
        }
        if (!source)
            return; // an optional one that is not there
        struct stat st{};
        if (::fstat(source.get(), &st) < 0)
            fail_errno("looking at what is to be mounted");
        const unique_fd target = place_for(place.path, place.root, S_ISDIR(st.st_mode), owner);
        mounts::attach(source.get(), target.get(), mount.destination);
    } catch (const Error &error) {
        throw Error(mount.origin.text + ": " + error.what(), error.code());
    }
}

void require_os(const LaunchPlan &plan, int root) {
    const auto has = [&](const char *path) {
        return static_cast<bool>(rooted::try_open(root, path, O_PATH));
    };
    if (plan.mode == ExecMode::boot ? !has("/etc/os-release") && !has("/usr/lib/os-release") : !has("/usr"))
        fail("{}: there is no OS tree in it: it has no {}", plan.root.origin.text,
             plan.mode == ExecMode::boot ? "os-release file" : "/usr");
}

/// pivot_root(2), "pivot_root(".", ".")": the old root ends up on top, and is let go.
void pivot(int root) {
    if (::fchdir(root) < 0)
        fail_errno("entering the machine's root");
    if (::syscall(SYS_pivot_root, ".", ".") < 0)
        fail_errno("making the machine's tree the root");
    if (::umount2(".", MNT_DETACH) < 0)
        fail_errno("letting the host's tree go");
    if (::chdir("/") < 0)
        fail_errno("entering the machine's root");
    // A booting systemd expects its mounts to propagate to what it starts.
    if (::mount(nullptr, "/", nullptr, MS_SHARED | MS_REC, nullptr) < 0)
        fail_errno("making the machine's mounts shared");
}

} // namespace

Assembled assemble(const LaunchPlan &plan, const Parts &parts) {
    const uid_t owner = parts.ids.base();
    const std::vector<unique_fd> partitions = open_partitions(plan, parts);
    const FsIdentity identity(owner);
    unique_fd base;
    unique_fd old;
    Assembled made{.root = attach_root(plan, parts, base, old)};
    const int root = made.root.get();
    attach_partitions(parts, root, partitions);
    attach_former_root(plan, root, old);
    if (!plan.root.usr_only)
        require_os(plan, root);

    // Sources are taken before anything covers them, also those inside.
    std::vector<unique_fd> sources;
    for (const MountPlan &mount : plan.mounts)
        sources.push_back(
            sources::open(mount, base.get(), parts.ids, parts.scratch, plan.selinux_apifs_context));

    const unique_fd run = api_mounts::mount_temporary(root, owner, plan.selinux_apifs_context);
    const devices::Owner device_owner = devices::owner_of(owner, plan.users.count);
    const unique_fd pts = devices::mount(root, device_owner, plan.selinux_apifs_context);
    made.host = host_dir::make(run.get(), plan, owner, parts.exported);
    made.covers = api_mounts::make_covers(made.host, run.get(), uuid_of(plan.boot_id));
    made.guests = bound_users::settle(plan.users, parts.users, root, made.host.mount.get(), parts.ids);
    made.late.resize(sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const MountPlan &mount = plan.mounts[i];
        if (is_late(mount))
            made.late[i] = std::move(sources[i]);
        else
            attach_source(mount, {.root = root, .path = mount.destination}, made.host, sources[i], owner);
    }
    host_files::settle(plan, root, owner);
    if (plan.console != ConsoleMode::pipe) {
        devices::Console console = devices::make_console(pts.get(), device_owner);
        mounts::attach(console.node.get(), place_for("/dev/console", root, false, owner, 0600).get(),
                       "/dev/console");
        made.console = std::move(console.master);
        made.console_slave = std::move(console.slave);
    }
    host_dir::seal(made.host);
    made.notify = duplicate(made.host.notify.get());
    return made;
}

bool locks_namespaces(const LaunchPlan &plan, uid_t base) {
    return plan.users.enabled && (base == 0 || std::ranges::any_of(plan.mounts, is_late));
}

api_mounts::Shown shown_of_others(const LaunchPlan &plan) {
    return {.proc = false, .sys = !plan.private_network(), .mqueue = !plan.join.ipc.empty()};
}

api_mounts::Shown shown_of_its_own(const LaunchPlan &plan) {
    const api_mounts::Shown others = shown_of_others(plan);
    return {.proc = true, .sys = !others.sys, .mqueue = !others.mqueue};
}

void show_others(const Assembled &assembled, const api_mounts::Kernel &kernel) {
    if (kernel.sys)
        mounts::set_attributes(kernel.sys.get(), MOUNT_ATTR_RDONLY, 0, false);
    api_mounts::attach(assembled.root.get(), kernel);
}

void show_namespaces(const LaunchPlan &plan, Assembled &assembled, const api_mounts::Kernel &kernel) {
    const int root = assembled.root.get();
    api_mounts::attach(root, kernel);
    api_mounts::restrict(kernel, std::move(assembled.covers), plan.private_network());
    for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
        const MountPlan &mount = plan.mounts[i];
        if (is_late(mount)) // nothing is made in the kernel's filesystems: whose rights we have is all one
            attach_source(mount, place_of(mount.destination, root, kernel), assembled.host, assembled.late[i],
                          0);
    }
}

void adopt(Assembled &assembled) {
    // Only the root of a copy can be pivoted to: in what we inherited it is locked to its place.
    const unique_fd copy = mounts::clone_tree(AT_FDCWD, root::staging, true);
    mounts::attach(copy.get(), open_staging().get(), "the root");
    assembled.root = open_staging();
}

void release() noexcept {
    ::umount2(root::staging, MNT_DETACH);
}

void finish(const Assembled &assembled) {
    pivot(assembled.root.get());
}

} // namespace berth::tree
