// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/root.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/error.hpp"
#include "base/rooted.hpp"
#include "runtime/fs_identity.hpp"
#include "runtime/mounts.hpp"
#include "runtime/overlay.hpp"
#include "runtime/tree_lock.hpp"

namespace berth::root {

namespace fs = std::filesystem;

namespace {

void make_directory(const std::string &path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", path);
}

/// The upper's own directory is the root's inode in the merged tree: it looks as the topmost
/// lower's does, in owner and mode.
void make_upper_like(const std::string &upper, const std::string &lower, bool mapped) {
    if (::mkdir(upper.c_str(), 0755) < 0) {
        if (errno == EEXIST)
            return;
        fail_errno("creating the directory {}", upper);
    }
    struct stat st{};
    if (::stat(lower.c_str(), &st) < 0)
        fail_errno("looking at {}", lower);
    const std::uint32_t shift = mapped ? range_base(st.st_uid) : 0;
    if (::chown(upper.c_str(), st.st_uid - shift, st.st_gid - shift) < 0
        || ::chmod(upper.c_str(), st.st_mode & 07777U) < 0)
        fail_errno("giving {} the owner and mode of {}", upper, lower);
}

} // namespace

std::vector<LockFile> lock_layers(const RootPlan &plan, bool written) {
    written = written || (!plan.is_overlay() && !plan.read_only && !plan.usr_only);
    std::vector<LockFile> locks;
    for (const std::string &layer : plan.layers)
        for (LockFile &lock :
             tree_lock::take(layer, written ? LockFile::Mode::exclusive : LockFile::Mode::shared))
            locks.push_back(std::move(lock));
    return locks;
}

unique_fd lock_upper(const RootPlan &plan) {
    if (plan.upper != Upper::Kind::persistent && plan.upper != Upper::Kind::path)
        return {};
    unique_fd directory(::open(plan.upper_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        fail_errno("opening the directory {}", plan.upper_directory);
    if (::flock(directory.get(), LOCK_EX | LOCK_NB) == 0)
        return directory;
    if (errno == EWOULDBLOCK)
        throw Error(std::format("{} is in use by another machine that writes to it", plan.upper_directory),
                    EBUSY);
    fail_errno("locking {}", plan.upper_directory);
}

void prepare_staging() {
    make_directory(staging, 0755);
}

void prepare_upper(const RootPlan &plan, bool mapped) {
    if (plan.upper == Upper::Kind::none)
        return;
    const fs::path directory(plan.upper_directory);
    if (plan.upper == Upper::Kind::path) {
        make_directory(directory.native(), 0755);
    } else {
        make_directory(directory.parent_path().parent_path().native(), 0755);
        make_directory(directory.parent_path().native(), 0700);
        make_directory(directory.native(), 0700);
    }
    if (plan.upper == Upper::Kind::ephemeral) {
        const unique_fd tmpfs = mounts::new_filesystem("tmpfs", {{"mode", "0755"}}, 0);
        const unique_fd target(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!target)
            fail_errno("opening the directory {}", directory.native());
        mounts::attach(tmpfs.get(), target.get(), "the ephemeral upper");
    }
    make_upper_like(directory / "upper", plan.layers.empty() ? "/" : plan.layers.back(), mapped);
    make_directory(directory / "work", 0700);
}

namespace {

unique_fd directory_root(const RootPlan &plan, IdMaps &ids) {
    unique_fd tree = mounts::clone_tree(AT_FDCWD, plan.layers[0], true);
    struct stat st{};
    if (::fstat(tree.get(), &st) < 0)
        fail_errno("looking at {}", plan.layers[0]);
    try {
        ids.map_tree(tree.get(), st, true);
    } catch (const Error &error) {
        throw Error(
            std::format("{}: a filesystem in it cannot map users; use --private-users-ownership=chown ({})",
                        plan.layers[0], error.what()),
            error.code());
    }
    return tree;
}

unique_fd overlay_root(const RootPlan &plan, IdMaps &ids, const std::vector<Partition> &image) {
    overlay::Request request;
    if (!image.empty())
        request.lowers.push_back({.path = image.front().place, .mapped = true});
    for (const std::string &layer : plan.layers)
        request.lowers.push_back({.path = layer});
    if (plan.upper != Upper::Kind::none) {
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

} // namespace

unique_fd make(const RootPlan &plan, IdMaps &ids, const std::vector<Partition> &image) {
    unique_fd made = plan.is_overlay() ? overlay_root(plan, ids, image)
                     : !image.empty()  ? mounts::clone_tree(AT_FDCWD, image.front().place, false)
                                       : directory_root(plan, ids);
    if (plan.read_only)
        mounts::set_attributes(made.get(), MOUNT_ATTR_RDONLY, 0, true);
    return made;
}

unique_fd ephemeral_overlay(const RootPlan &plan, const std::string &place, std::size_t number, IdMaps &ids) {
    const std::string folder = std::format("{}/{}", plan.upper_directory, number);
    make_directory(folder, 0700);
    make_upper_like(folder + "/upper", place, ids.map_trees());
    make_directory(folder + "/work", 0700);
    const FsIdentity identity(ids.base()); // overlayfs works as whoever mounts it
    return overlay::mount(
        {.lowers = {{.path = place, .mapped = true}}, .upper = folder + "/upper", .work = folder + "/work"},
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
