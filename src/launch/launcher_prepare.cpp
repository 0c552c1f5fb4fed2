// SPDX-License-Identifier: LGPL-2.1-or-later
// What a launcher does once, whatever the number of boots: mounts, users, locks and filters.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "base/printable.hpp"
#include "base/rooted.hpp"
#include "kernel/mounts.hpp"
#include "launch/joined.hpp"
#include "launch/launcher.hpp"
#include "root/image.hpp"
#include "root/ownership.hpp"
#include "root/sources.hpp"
#include "root/tree_template.hpp"
#include "seccomp/load.hpp"

namespace berth {

namespace {

/// Attaches a detached mount to a directory of ours, made for it.
void attach_at(int mount, const std::string &path) {
    if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", path);
    const unique_fd target(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!target)
        fail_errno("opening the directory {}", path);
    mounts::attach(mount, target.get(), path);
}

struct stat look_at(const unique_fd &layer, const std::string &path) {
    struct stat st{};
    if (::fstat(layer.get(), &st) < 0)
        fail_errno("looking at {}", path);
    return st;
}

struct stat look_at(const image::Mount &part, const RootPlan &root) {
    struct stat st{};
    if (::fstat(part.mount.get(), &st) < 0)
        fail_errno("looking at the {} of {}", part.designator, root.image);
    return st;
}

/// True when a mount's source is left to us.
bool needs_scratch(const std::vector<MountPlan> &mounts) {
    return std::ranges::any_of(mounts, [](const MountPlan &mount) {
        return std::ranges::any_of(mount.sources, [](const auto &source) { return source.path.empty(); });
    });
}

} // namespace

Launcher::Launcher(LaunchPlan plan, Timing timing)
    : plan_(std::move(plan)), timing_(std::move(timing)), joined_(joined::open(plan_.join)) {
    const bool own_mounts =
        plan_.root.upper == Upper::Kind::ephemeral || plan_.users.enabled || !plan_.root.image.empty();
    export_sockets();
    if (own_mounts)
        leave_host_mounts();
    root::prepare_staging();
    if (!plan_.root.template_tree.empty())
        tree_template::instantiate(plan_.root.template_tree, plan_.root.layers.front());
    layers_ = root::open_layers(plan_.root);
    timing_.reached("opened");
    locks_ = root::lock_layers(plan_.root, layers_, false);
    const std::vector<image::Mount> parts = open_image();
    settle_users(parts.empty() ? look_at(layers_.back(), plan_.root.tree())
                               : look_at(parts.front(), plan_.root));
    exported_.give(ids_.base());
    timing_.reached("users");
    attach_image(parts);
    upper_ = root::prepare_upper(plan_.root, layers_.empty() ? -1 : layers_.back().get(), ids_.map_trees());
    make_work_folders();
    if (needs_scratch(plan_.mounts))
        scratch_.begin();
    load_filter();
    timing_.reached("locked");
}

/// An init may offer what programs of the host want to reach, such as its sshd.
void Launcher::export_sockets() {
    if (plan_.mode == ExecMode::boot && !exported_.mount(plan_.name))
        say(berth::format(
            "The sockets of another machine {} are in the way: those of this one are not shown on the host.",
            plan_.name));
}

Launcher::Image::~Image() {
    if (!parts.empty())
        ::umount2(root::image_place, MNT_DETACH);
}

/// They outlast reboots, and are locked before anything is mounted.
void Launcher::make_work_folders() {
    for (const MountPlan &mount : plan_.mounts) {
        const MountConfig::Source *upper = sources::host_upper(mount);
        if (upper == nullptr)
            continue;
        try {
            work_folders_.emplace_back(upper->path);
        } catch (const Error &error) {
            throw Error(mount.origin.text + ": " + error.what(), error.code());
        }
    }
}

void Launcher::load_filter() {
    const ProcessPlan &process = plan_.process;
    seccomp::Filter filter = seccomp::load({.capabilities = plan_.bounding,
                                            .rules = process.system_call_filter,
                                            .suppress_sync = process.suppress_sync});
    for (const std::string &warning : filter.warnings)
        say("berth run: warning: " + warning);
    filter_ = std::move(filter.programs);
}

std::vector<image::Mount> Launcher::open_image() {
    const RootPlan &root = plan_.root;
    if (root.image.empty())
        return {};
    const bool read_only = root.read_only || root.usr_only || root.upper != Upper::Kind::none;
    return image::attach(root.image, read_only, root.image_policy, &locks_);
}

void Launcher::attach_image(const std::vector<image::Mount> &parts) {
    if (parts.empty())
        return;
    const unique_fd tmpfs = mounts::new_filesystem("tmpfs", {{"mode", "0700"}}, 0);
    for (const image::Mount &part : parts) {
        ids_.map_tree(part.mount.get(), look_at(part, plan_.root), false);
        if (image_.parts.empty())
            attach_at(tmpfs.get(), root::image_place);
        image_.parts.push_back(
            {.path = part.path, .place = berth::format("{}/{}", root::image_place, image_.parts.size())});
        attach_at(part.mount.get(), image_.parts.back().place);
    }
    if (plan_.machine_id_of_tree) {
        const unique_fd tree(::open(image_.parts.front().place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        take_machine_id(plan_, rooted::read_file(tree.get(), "/etc/machine-id").value_or(""));
    }
}

void Launcher::leave_host_mounts() {
    // What we mount here is gone with us, whatever ends us.
    if (::unshare(CLONE_NEWNS) < 0)
        fail_errno("creating a mount namespace");
    if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0)
        fail_errno("cutting our mounts off from the host's");
}

void Launcher::settle_users(const struct stat &root) {
    using Ownership = UsersConfig::Ownership;
    UsersPlan &users = plan_.users;
    if (!users.enabled)
        return;
    if (users.of_image)
        users.base = range_base(root.st_uid);
    if (users.pick) {
        range_ = std::make_unique<IdRange>(range_base(root.st_uid), plan_.name);
        users.base = range_->base();
    }
    const RootPlan &where = plan_.root;
    const bool plain = where.kind == RootPlan::Kind::directory && where.image.empty();
    const bool theirs = range_base(root.st_uid) == users.base;
    if (plain && users.ownership == Ownership::automatic && !theirs
        && !ownership::can_map(layers_.back().get())) {
        if (where.read_only || where.usr_only)
            fail("{}: its filesystem cannot map the owners of files, and they are not changed in a tree that "
                 "is only read",
                 where.tree());
        users.ownership = Ownership::chown;
    }
    if (users.ownership == Ownership::chown)
        give_files_to_users();
    ids_ = IdMaps(users.base, users.count,
                  users.ownership == Ownership::map || users.ownership == Ownership::automatic);
}

void Launcher::give_files_to_users() {
    if (!locks_.empty() && locks_.front().mode() == LockFile::Mode::shared) {
        locks_.clear(); // our own would be in our way
        locks_ = root::lock_layers(plan_.root, layers_, true);
    }
    const std::string &tree = plan_.root.tree();
    const std::uint32_t base = plan_.users.base;
    const bool told = !plan_.quiet && ::isatty(STDERR_FILENO) == 1;
    say(berth::format("Giving the files in {} to users {} and up.", tree, base));
    ownership::move_to(layers_.back().get(), tree, base, [told](std::uint64_t count) {
        if (told)
            std::fprintf(stderr, "\r%llu files", static_cast<unsigned long long>(count));
    });
    if (told)
        std::fputs("\r\x1b[K", stderr); // the line is for what comes next
}

} // namespace berth
