// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/tree.hpp"

#include <fcntl.h>
#include <sched.h>
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

/// The machine enters its cgroup namespace last.
constexpr std::uint64_t shown_at_start = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC;

unique_fd open_staging() {
    unique_fd fd(::open(root::staging, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening {}", root::staging);
    return fd;
}

/// Attaches the tree at the staging place, and what becomes / instead of it on top. `old` is a copy
/// of the former when it is to be seen inside.
unique_fd attach_root(const LaunchPlan &plan, const Parts &parts, unique_fd &base, unique_fd &old) {
    base = root::attach(plan.root, parts.opened, parts.ids, parts.image, open_staging().get());
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

void attach_source(const MountPlan &mount, const api_mounts::Place &place, const host_dir::HostDir &host,
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
void pivot(int root, unsigned long propagation) {
    if (::fchdir(root) < 0)
        fail_errno("entering the machine's root");
    if (::syscall(SYS_pivot_root, ".", ".") < 0)
        fail_errno("making the machine's tree the root");
    if (::umount2(".", MNT_DETACH) < 0)
        fail_errno("letting the host's tree go");
    if (::chdir("/") < 0)
        fail_errno("entering the machine's root");
    if (propagation != 0 && ::mount(nullptr, "/", nullptr, propagation, nullptr) < 0)
        fail_errno("setting the propagation of the machine's mounts");
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
    const bool os_checked = plan.root.check_os && !plan.root.usr_only;
    if (os_checked && !plan.os_is_mounted)
        require_os(plan, root);

    // Sources are taken before anything covers them, also those inside.
    std::vector<unique_fd> sources;
    for (const MountPlan &mount : plan.mounts)
        sources.push_back(
            sources::open(mount, base.get(), parts.ids, parts.scratch, plan.selinux_apifs_context));

    made.mounts = api_mounts::mount_early(plan.api, root, parts.ids);
    devices::make(plan.api, api_mounts::at(made.mounts, "/dev"), parts.ids);
    made.host = host_dir::make(api_mounts::at(made.mounts, "/run/host"), plan, owner, parts.exported);
    made.covers = api_mounts::make_covers(plan.api, made.host, api_mounts::at(made.mounts, "/run"));
    made.guests = bound_users::settle(plan.users, parts.users, root, made.host.mount.get(), parts.ids);
    made.late.resize(sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const MountPlan &mount = plan.mounts[i];
        if (api_mounts::is_late(plan.api, mount.destination))
            made.late[i] = std::move(sources[i]);
        else
            attach_source(mount, {.root = root, .path = mount.destination}, made.host, sources[i], owner);
    }
    if (os_checked && plan.os_is_mounted)
        require_os(plan, root);
    host_files::settle(plan, root, owner);
    if (plan.console != ConsoleMode::pipe) {
        devices::Console console = devices::make_console(api_mounts::at(made.mounts, "/dev/pts"), parts.ids);
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
    const auto late = [&](const MountPlan &mount) {
        return api_mounts::is_late(plan.api, mount.destination);
    };
    return plan.users.enabled && (base == 0 || std::ranges::any_of(plan.mounts, late));
}

std::uint64_t shown_of_others(const LaunchPlan &plan) {
    return shown_at_start & ~plan.namespaces;
}

std::uint64_t shown_of_its_own(const LaunchPlan &plan) {
    return shown_at_start & plan.namespaces;
}

void show_others(const Assembled &assembled, const api_mounts::Mounts &shown) {
    api_mounts::attach(assembled.root.get(), shown, assembled.mounts);
}

void show_namespaces(const LaunchPlan &plan, Assembled &assembled, const api_mounts::Mounts &shown,
                     bool of_host_root) {
    const int root = assembled.root.get();
    api_mounts::attach(root, shown, assembled.mounts);
    api_mounts::cover(plan.api, shown, std::move(assembled.covers), assembled.host, of_host_root);
    for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
        const MountPlan &mount = plan.mounts[i];
        // Nothing is made in the kernel's filesystems: whose rights we have is all one.
        if (api_mounts::is_late(plan.api, mount.destination))
            attach_source(mount, api_mounts::place_of(mount.destination, root, shown), assembled.host,
                          assembled.late[i], 0);
    }
}

void show_cgroup(const LaunchPlan &plan, const Assembled &assembled) {
    api_mounts::attach(assembled.root.get(), api_mounts::make(plan.api, CLONE_NEWCGROUP, 0), {});
}

void adopt(Assembled &assembled) {
    // Only the root of a copy can be pivoted to: in what we inherited it is locked to its place.
    const unique_fd copy = mounts::clone_tree(AT_FDCWD, root::staging, true);
    mounts::attach(copy.get(), open_staging().get(), "the root");
    assembled.root = open_staging();
    assembled.mounts.clear(); // they are in the tree that we have a copy of
}

void release() noexcept {
    ::umount2(root::staging, MNT_DETACH);
}

void finish(const LaunchPlan &plan, const Assembled &assembled) {
    pivot(assembled.root.get(), plan.api.propagation);
}

} // namespace berth::tree
