// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/root.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/error.hpp"
#include "runtime/mounts.hpp"

namespace berth::root {

namespace fs = std::filesystem;

namespace {

unique_fd open_directory(const std::string &path) {
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening the directory {}", path);
    return fd;
}

void make_directory(const std::string &path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", path);
}

/// The upper's own directory is the root's inode in the merged tree: it looks as the topmost
/// lower's does, in owner and mode.
void make_upper_like(const std::string &upper, const std::string &lower) {
    if (::mkdir(upper.c_str(), 0755) < 0) {
        if (errno == EEXIST)
            return;
        fail_errno("creating the directory {}", upper);
    }
    struct stat st{};
    if (::stat(lower.c_str(), &st) < 0)
        fail_errno("looking at {}", lower);
    if (::chown(upper.c_str(), st.st_uid, st.st_gid) < 0 || ::chmod(upper.c_str(), st.st_mode & 07777U) < 0)
        fail_errno("giving {} the owner and mode of {}", upper, lower);
}

} // namespace

Locks lock_trees(const RootPlan &plan) {
    Locks locks;
    const auto lock = [&](const std::string &path, bool exclusive) {
        locks.push_back(open_directory(path));
        if (::flock(locks.back().get(), (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
            return;
        if (errno == EWOULDBLOCK)
            fail_code(EBUSY,
                      "{} is in use by another machine that writes to it, or that would be "
                      "written to under its feet",
                      path);
        fail_errno("locking {}", path);
    };
    for (const std::string &layer : plan.layers)
        lock(layer, !plan.is_overlay() && !plan.read_only);
    if (plan.upper == Upper::Kind::persistent || plan.upper == Upper::Kind::path)
        lock(plan.upper_directory, true);
    return locks;
}

void prepare_staging() {
    make_directory(staging, 0755);
}

void prepare_upper(const RootPlan &plan) {
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
    make_upper_like(directory / "upper", plan.layers.back());
    make_directory(directory / "work", 0700);
}

unique_fd mount(const RootPlan &plan) {
    const unsigned attributes = plan.read_only ? unsigned{MOUNT_ATTR_RDONLY} : 0U;
    if (!plan.is_overlay()) {
        unique_fd tree = mounts::clone_tree(AT_FDCWD, plan.layers[0], true);
        if (attributes != 0)
            mounts::set_attributes(tree.get(), attributes, 0, true);
        return tree;
    }
    std::vector<mounts::Option> options{{"source", "overlay"}};
    for (auto layer = plan.layers.rbegin(); layer != plan.layers.rend(); ++layer) // topmost first
        options.emplace_back("lowerdir+", *layer);
    if (plan.upper != Upper::Kind::none) {
        options.emplace_back("upperdir", plan.upper_directory + "/upper");
        options.emplace_back("workdir", plan.upper_directory + "/work");
    }
    return mounts::new_filesystem("overlay", options, attributes);
}

} // namespace berth::root
