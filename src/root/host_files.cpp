// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/host_files.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/printable.hpp"
#include "base/rooted.hpp"
#include "base/same_file.hpp"
#include "base/time_zone.hpp"
#include "kernel/fs_identity.hpp"
#include "kernel/mounts.hpp"

namespace berth::host_files {

namespace fs = std::filesystem;

namespace {

constexpr unsigned quiet = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// A file or link in a folder of the tree. The folder's descriptor makes it ours to change.
struct Place {
    unique_fd folder;
    std::string name;

    void remove() const {
        if (::unlinkat(folder.get(), name.c_str(), 0) < 0 && errno != ENOENT)
            fail_errno("removing {} in the tree", name);
    }
    void write(std::string_view content) const {
        const std::string temporary = ".#" + name + ".berth";
        (void)::unlinkat(folder.get(), temporary.c_str(), 0);
        const unique_fd fd(::openat(folder.get(), temporary.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
        if (!fd)
            fail_errno("creating {} in the tree", name);
        try {
            write_all(fd.get(), content, name);
        } catch (const Error &) {
            (void)::unlinkat(folder.get(), temporary.c_str(), 0);
            throw;
        }
        put(temporary);
    }
    void link(const std::string &target) const {
        const std::string temporary = ".#" + name + ".berth";
        (void)::unlinkat(folder.get(), temporary.c_str(), 0);
        if (::symlinkat(target.c_str(), folder.get(), temporary.c_str()) < 0)
            fail_errno("making the link {} in the tree", name);
        put(temporary);
    }

private:
    void put(const std::string &temporary) const {
        if (::renameat(folder.get(), temporary.c_str(), folder.get(), name.c_str()) == 0)
            return;
        const int code = errno;
        (void)::unlinkat(folder.get(), temporary.c_str(), 0); // there may be a directory in its place
        fail_code(code, "replacing {} in the tree", name);
    }
};

Place etc(int root, const char *name) {
    return {rooted::open(root, "/etc", O_RDONLY | O_DIRECTORY), name};
}

/// Mounts the host's file on the tree's. A link is covered itself: where it leads may be empty
/// until the machine has filled it, and its name would tell of another file than this.
void bind_mount(int root, const std::string &source, const std::string &destination) {
    const unique_fd mount = mounts::clone_tree(AT_FDCWD, source, false);
    mounts::set_attributes(mount.get(), quiet, 0, false);
    unique_fd target = rooted::try_open(root, destination, O_PATH | O_NOFOLLOW);
    if (!target)
        target = rooted::make_mount_file(root, destination);
    mounts::attach(mount.get(), target.get(), destination);
}

const char *source_of(ResolvConf mode) {
    switch (mode) {
    case ResolvConf::copy_static:
    case ResolvConf::replace_static:
    case ResolvConf::bind_static: return "/usr/lib/systemd/resolv.conf";
    case ResolvConf::copy_uplink:
    case ResolvConf::replace_uplink:
    case ResolvConf::bind_uplink: return "/run/systemd/resolve/resolv.conf";
    case ResolvConf::copy_stub:
    case ResolvConf::replace_stub:
    case ResolvConf::bind_stub: return "/run/systemd/resolve/stub-resolv.conf";
    default: return "/etc/resolv.conf";
    }
}

void settle_resolv_conf(ResolvConf mode, int root) {
    if (mode == ResolvConf::off)
        return;
    const Place place = etc(root, "resolv.conf");
    if (mode == ResolvConf::remove) {
        place.remove();
        return;
    }
    const char *source = source_of(mode);
    const auto text = read_file_if_there(source);
    if (!text)
        return; // a host without a resolver has nothing to hand on
    switch (mode) {
    case ResolvConf::bind_host:
    case ResolvConf::bind_static:
    case ResolvConf::bind_uplink:
    case ResolvConf::bind_stub: bind_mount(root, source, "/etc/resolv.conf"); return;
    case ResolvConf::copy_host:
    case ResolvConf::copy_static:
    case ResolvConf::copy_uplink:
    case ResolvConf::copy_stub: {
        // A link that a resolver inside made stays; only a file is kept up to date.
        struct stat st{};
        if (::fstatat(place.folder.get(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0
            && S_ISLNK(st.st_mode))
            return;
        break;
    }
    default: break;
    }
    place.write(*text);
}

void settle_timezone(Timezone mode, int root) {
    const Place place = mode == Timezone::off ? Place{} : etc(root, "localtime");
    std::error_code error;
    const fs::path source = fs::canonical("/etc/localtime", error);
    switch (mode) {
    case Timezone::automatic:
    case Timezone::off: return;
    case Timezone::remove: place.remove(); return;
    case Timezone::bind:
        if (!error)
            bind_mount(root, source.native(), "/etc/localtime");
        return;
    case Timezone::copy:
        if (!error)
            place.write(read_file(source));
        return;
    case Timezone::symlink: {
        const std::string zone = host_time_zone();
        if (zone.empty() || !rooted::try_open(root, "/usr/share/zoneinfo/" + zone, O_PATH))
            return; // a link would lead nowhere
        place.link("../usr/share/zoneinfo/" + zone);
        return;
    }
    }
}

std::string journal_of(const LaunchPlan &plan) {
    return "/var/log/journal/" + plan.machine_id;
}

/// The journal is the host's, seen inside.
void bind_journal(const LaunchPlan &plan, int root, uid_t owner, bool create) {
    const std::string path = journal_of(plan);
    if (create && ::mkdir(path.c_str(), 0755) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", path);
    struct stat st{};
    if (::lstat(path.c_str(), &st) < 0 || !S_ISDIR(st.st_mode)) {
        if (create)
            fail_code(ENOTDIR, "{}", path);
        return;
    }
    const unique_fd mount = mounts::clone_tree(AT_FDCWD, path, false);
    const PlainRights plain(owner);
    const unique_fd target = rooted::make_directory(root, path);
    mounts::attach(mount.get(), target.get(), path);
}

/// The host's readers follow every link on their way, and out of the tree.
void require_no_detour(int inside, const std::string &path) {
    struct stat here{};
    struct stat there{};
    if (::fstat(inside, &here) < 0)
        fail_errno("looking at {}", path);
    if (::stat(path.c_str(), &there) < 0 || !is_same_file(here, there))
        fail("{} is reached by links, which lead the host elsewhere", path);
}

/// The journal is the machine's, and the host has a link to it.
void link_journal(const LaunchPlan &plan, int root, uid_t owner) {
    const std::string path = journal_of(plan);
    if (plan.root.is_overlay() || !plan.root.image.empty())
        fail("the journal of a machine on an overlay or an image is in no directory of the host's");
    const unique_fd made = [&] {
        const PlainRights plain(owner);
        return rooted::make_directory(root, path);
    }();
    const std::string target = plan.root.layers.front() + path;
    require_no_detour(made.get(), target);
    std::error_code error;
    if (fs::read_symlink(path, error).native() == target)
        return;
    if (::rmdir(path.c_str()) < 0 && ::unlink(path.c_str()) < 0 && errno != ENOENT)
        fail_errno("removing {} of the host", path);
    if (::symlink(target.c_str(), path.c_str()) < 0)
        fail_errno("making the link {}", path);
}

void settle_journal(const LaunchPlan &plan, int root, uid_t owner) {
    using Mode = LinkJournal::Mode;
    const LinkJournal &link = plan.link_journal;
    // The ID is the tree's word, and root inside is the host's as far as files are concerned.
    const bool trusted = !plan.users.enabled || owner != 0 || link.mode != Mode::automatic;
    if (link.mode == Mode::no || !trusted)
        return;
    try {
        // The ID is the tree's word: one that claims the host's would be given the host's own journal.
        if (trim(read_file_if_there("/etc/machine-id").value_or("")) == plan.machine_id)
            fail("the machine has the host's own machine ID");
        if (link.mode != Mode::automatic && ::access("/var/log/journal", F_OK) < 0)
            fail_errno("the host keeps no journal on disk (/var/log/journal)");
        if (link.mode == Mode::guest)
            link_journal(plan, root, owner);
        else
            bind_journal(plan, root, owner, link.mode == Mode::host);
    } catch (const Error &error) {
        if (!link.tolerant && link.mode != Mode::automatic)
            throw Error(berth::format("linking the journal: {}", error.what()), error.code());
    }
}

} // namespace

void settle(const LaunchPlan &plan, int root, uid_t owner) {
    // The tree may have no /etc, or one that cannot be written to: then it is left alone. So it is
    // when that is not as it should be, whatever is wrong with it: a machine must be able to start to be mended.
    constexpr std::array usual{EROFS, ENOENT, ENOTDIR, EISDIR, ELOOP};
    const auto leniently = [&](const auto &step) {
        try {
            const PlainRights plain(owner);
            step();
        } catch (const Error &error) {
            if (!plan.quiet && !std::ranges::contains(usual, error.code()))
                std::fprintf(stderr, "berth run: warning: %s\n", printable(error.what()).c_str());
        }
    };
    leniently([&] { settle_resolv_conf(plan.resolv_conf, root); });
    leniently([&] { settle_timezone(plan.timezone, root); });
    settle_journal(plan, root, owner);
}

} // namespace berth::host_files
