// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/root.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "base/error.hpp"
#include "base/host_path.hpp"
#include "base/rooted.hpp"
#include "base/tree_lock.hpp"
#include "kernel/fs_identity.hpp"
#include "kernel/mounts.hpp"
#include "kernel/overlay.hpp"

namespace berth::root {

namespace fs = std::filesystem;

// Which <linux/magic.h> leaves out.
constexpr long mqueue_magic = 0x19800202;
constexpr long configfs_magic = 0x62656570;
constexpr long fusectl_magic = 0x65735543;
constexpr long rpc_pipe_magic = 0x67596969;

namespace {

void make_directory(const std::string &path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", path);
}

/// The upper's own directory is the root's inode in the merged tree: it looks as the topmost
/// lower's does, in owner and mode.
void make_upper_like(int folder, const struct stat &lower, bool mapped) {
    if (::mkdirat(folder, "upper", 0700) < 0) {
        if (errno == EEXIST)
            return;
        fail_errno("creating the directory of an upper");
    }
    const unique_fd upper(::openat(folder, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    const std::uint32_t shift = mapped ? range_base(lower.st_uid) : 0;
    if (!upper || ::fchown(upper.get(), lower.st_uid - shift, lower.st_gid - shift) < 0
        || ::fchmod(upper.get(), lower.st_mode & 07777U) < 0)
        fail_errno("giving an upper the owner and mode of the tree");
}

struct stat look_at(int fd, const std::string &path) {
    struct stat st{};
    if (::fstat(fd, &st) < 0)
        fail_errno("looking at {}", path);
    return st;
}

/// Both folders of an overlay's.
void make_folders(int folder, const struct stat &lower, bool mapped) {
    make_upper_like(folder, lower, mapped);
    if (::mkdirat(folder, "work", 0700) < 0 && errno != EEXIST)
        fail_errno("creating the work folder of an upper");
}

void lock(int folder, const std::string &path) {
    if (::flock(folder, LOCK_EX | LOCK_NB) == 0)
        return;
    if (errno == EWOULDBLOCK)
        throw Error(berth::format("{} is in use by another machine that writes to it", path), EBUSY);
    fail_errno("locking {}", path);
}

} // namespace

std::vector<unique_fd> open_layers(const RootPlan &plan) {
    std::vector<unique_fd> layers;
    for (const std::string &layer : plan.layers)
        layers.push_back(host_path::open(layer, O_PATH | O_DIRECTORY));
    return layers;
}

std::vector<LockFile> lock_layers(const RootPlan &plan, const std::vector<unique_fd> &layers, bool written) {
    written = written || (!plan.is_overlay() && !plan.read_only && !plan.usr_only);
    std::vector<LockFile> locks;
    if (!plan.locked)
        return locks;
    for (std::size_t i = 0; i < layers.size(); ++i)
        for (LockFile &lock : tree_lock::take(plan.layers[i], look_at(layers[i].get(), plan.layers[i]),
                                              written ? LockFile::Mode::exclusive : LockFile::Mode::shared))
            locks.push_back(std::move(lock));
    return locks;
}

void prepare_staging() {
    make_directory(fs::path(staging).parent_path().native(), 0755);
    make_directory(staging, 0700);
}

unique_fd prepare_upper(const RootPlan &plan, int lower, bool mapped) {
    if (plan.upper == Upper::Kind::none)
        return {};
    const fs::path directory(plan.upper_directory);
    if (plan.upper == Upper::Kind::path) {
        // Root inside may be root in it, too, and leave programs there that are set-user-ID.
        make_directory(directory.native(), 0700);
    } else {
        make_directory(directory.parent_path().parent_path().native(), 0755);
        make_directory(directory.parent_path().native(), 0700);
        make_directory(directory.native(), 0700);
    }
    unique_fd folder = host_path::open(directory, O_RDONLY | O_DIRECTORY);
    if (plan.upper == Upper::Kind::ephemeral) {
        const unique_fd tmpfs = mounts::new_filesystem("tmpfs", {{"mode", "0755"}}, 0);
        mounts::attach(tmpfs.get(), folder.get(), "the ephemeral upper");
        folder = host_path::open(directory, O_RDONLY | O_DIRECTORY);
    } else {
        lock(folder.get(), directory.native());
    }
    struct stat like{};
    if (lower >= 0 ? ::fstat(lower, &like) < 0 : ::stat("/", &like) < 0)
        fail_errno("looking at the topmost layer");
    make_folders(folder.get(), like, mapped);
    return folder;
}

namespace {

/// Mapped onto the machine's users with all that is mounted in it; `alone`, without that, where some of it
/// has a filesystem that cannot map them.
unique_fd directory_root(const RootPlan &plan, const Opened &opened, IdMaps &ids, bool &alone) {
    const unique_fd place = host_path::open_again(plan.layers[0], opened.layers[0].get());
    unique_fd tree = mounts::clone_tree(place.get(), "", true);
    const struct stat owner = look_at(tree.get(), plan.layers[0]);
    try {
        ids.map_tree(tree.get(), owner, true);
        return tree;
    } catch (const Error &error) {
        if (error.code() != EINVAL)
            throw Error(plan.layers[0] + ": " + error.what(), error.code());
    }
    alone = true;
    tree = mounts::clone_tree(place.get(), "", false);
    try {
        ids.map_tree(tree.get(), owner, false);
    } catch (const Error &error) {
        throw Error(
            berth::format("{}: its filesystem cannot map users; use --private-users-ownership=chown ({})",
                          plan.layers[0], error.what()),
            error.code());
    }
    return tree;
}

unique_fd overlay_root(const RootPlan &plan, const Opened &opened, IdMaps &ids,
                       const std::vector<Partition> &image) {
    overlay::Request request;
    std::vector<unique_fd> places;
    if (!image.empty())
        request.lowers.push_back({.path = image.front().place, .mapped = true});
    for (std::size_t i = 0; i < plan.layers.size(); ++i) {
        places.push_back(host_path::open_again(plan.layers[i], opened.layers[i].get()));
        request.lowers.push_back({.path = plan.layers[i], .place = places.back().get()});
    }
    if (plan.upper != Upper::Kind::none) {
        request.upper_folder =
            places.emplace_back(host_path::open_again(plan.upper_directory, opened.upper.get())).get();
        request.upper = plan.upper_directory + "/upper";
        request.work = plan.upper_directory + "/work";
    }
    return overlay::mount(request, ids);
}

/// An empty root with the folders that any has and the links of a merged /usr; /usr itself is
/// mounted later.
unique_fd empty_root(int base, const IdMaps &ids) {
    const std::string owner = std::to_string(ids.base());
    unique_fd root = mounts::new_filesystem(
        "tmpfs", {{"source", "tmpfs"}, {"mode", "0755"}, {"uid", owner}, {"gid", owner}}, 0);
    for (const char *name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
        const unique_fd entry = rooted::try_open(base, name, O_PATH | O_NOFOLLOW);
        struct stat st{};
        if (!entry || ::fstat(entry.get(), &st) < 0)
            continue;
        if (!S_ISLNK(st.st_mode))
            fail("--volatile=yes needs a tree whose /{} is a link into /usr", name);
        const std::string target = std::string("usr/") + name;
        if (::symlinkat(target.c_str(), root.get(), name) < 0
            || ::fchownat(root.get(), name, ids.base(), ids.base(), AT_SYMLINK_NOFOLLOW) < 0)
            fail_errno("making the link /{}", name);
    }
    for (const auto &[name, mode] :
         {std::pair<const char *, mode_t>{"etc", 0755}, {"root", 0750}, {"var", 0755}})
        if (::mkdirat(root.get(), name, mode) < 0
            || ::fchownat(root.get(), name, ids.base(), ids.base(), AT_SYMLINK_NOFOLLOW) < 0)
            fail_errno("making the directory /{}", name);
    return root;
}

unsigned attributes_of(const RootPlan &plan) {
    return (plan.read_only ? unsigned{MOUNT_ATTR_RDONLY} : 0U)
           | (plan.no_devices ? unsigned{MOUNT_ATTR_NODEV} : 0U);
}

/// A filesystem of the kernel's, which shows nothing that a machine could call its own.
bool is_kernels(int mount) {
    struct statfs st{};
    constexpr auto kinds = std::to_array<long>(
        {PROC_SUPER_MAGIC, SYSFS_MAGIC,        CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
         DEBUGFS_MAGIC,    TRACEFS_MAGIC,      SECURITYFS_MAGIC,   BPF_FS_MAGIC,        PSTOREFS_MAGIC,
         BINFMTFS_MAGIC,   AUTOFS_SUPER_MAGIC, EFIVARFS_MAGIC,     HUGETLBFS_MAGIC,     SELINUX_MAGIC,
         NSFS_MAGIC,       mqueue_magic,       configfs_magic,     fusectl_magic,       rpc_pipe_magic});
    return ::fstatfs(mount, &st) == 0 && std::ranges::contains(kinds, static_cast<long>(st.f_type));
}

/// The mounts at `paths` of the tree, one by one. Those of the kernel's, which cannot map users, are left
/// out, and so are our own.
void attach_mappable(const RootPlan &plan, const Opened &opened, int root,
                     const std::vector<std::string> &paths, IdMaps &ids) {
    const unique_fd place = host_path::open_again(plan.layers[0], opened.layers[0].get());
    const struct stat owner = look_at(place.get(), plan.layers[0]);
    const std::string ours = fs::path(staging).parent_path().native();
    for (const std::string &path : paths) {
        const std::string whole = (fs::path(plan.layers[0]) / path).native();
        const unique_fd from = rooted::try_open(place.get(), path, O_PATH | O_NOFOLLOW);
        const unique_fd target = rooted::try_open(root, path, O_PATH | O_NOFOLLOW);
        if (!from || !target || whole == ours || whole.starts_with(ours + "/"))
            continue; // covered, or on what was left out
        const unique_fd mount = mounts::clone_tree(from.get(), "", false);
        try {
            ids.map_tree(mount.get(), owner, false);
        } catch (const Error &error) {
            if (is_kernels(mount.get()))
                continue;
            throw Error(
                berth::format("{}: its filesystem cannot map users, as that of all that is mounted in the "
                              "tree has to ({})",
                              whole, error.what()),
                error.code());
        }
        mounts::set_attributes(mount.get(), attributes_of(plan), 0, false);
        mounts::attach(mount.get(), target.get(), path);
    }
}

} // namespace

unique_fd attach(const RootPlan &plan, const Opened &opened, IdMaps &ids, const std::vector<Partition> &image,
                 int target) {
    bool alone = false;
    unique_fd made = plan.is_overlay() ? overlay_root(plan, opened, ids, image)
                     : !image.empty()  ? mounts::clone_tree(AT_FDCWD, image.front().place, false)
                                       : directory_root(plan, opened, ids, alone);
    if (const unsigned attributes = attributes_of(plan); attributes != 0)
        mounts::set_attributes(made.get(), attributes, 0, true);
    const std::vector<std::string> inside =
        alone ? mounts::below(plan.layers[0]) : std::vector<std::string>(); // before ours is there
    mounts::attach(made.get(), target, "the root");
    if (alone)
        attach_mappable(plan, opened, made.get(), inside, ids);
    return made;
}

unique_fd ephemeral_overlay(const RootPlan &plan, const std::string &place, std::size_t number, IdMaps &ids) {
    const std::string folder = berth::format("{}/{}", plan.upper_directory, number);
    make_directory(folder, 0700);
    struct stat lower{};
    if (::stat(place.c_str(), &lower) < 0)
        fail_errno("looking at {}", place);
    make_folders(host_path::open(folder, O_RDONLY | O_DIRECTORY).get(), lower, ids.map_trees());
    const FsIdentity identity(ids.base()); // overlayfs works as whoever mounts it
    return overlay::mount({.lowers = {{.path = place, .mapped = true}},
                           .upper = folder + "/upper",
                           .work = folder + "/work",
                           .attributes = plan.no_devices ? unsigned{MOUNT_ATTR_NODEV} : 0U},
                          ids);
}

unique_fd derive(const RootPlan &plan, int base, const IdMaps &ids) {
    if (plan.usr_only)
        return empty_root(base, ids);
    if (plan.pivot_new.empty())
        return {};
    const unique_fd place = rooted::open(base, plan.pivot_new, O_PATH | O_DIRECTORY);
    return mounts::clone_tree(place.get(), "", true);
}

} // namespace berth::root
