// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ns/hold.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/names.hpp"

namespace berth::ns {

namespace {

namespace fs = std::filesystem;

/// More mounts on one file than we ever make.
constexpr int max_stacked = 64;

fs::path directory_of(std::string_view name) {
    return fs::path(held_directory) / name;
}

/// While it is made, and while it goes. No name begins with a dot.
fs::path coming(std::string_view name) {
    return directory_of(berth::format(".new-{}", name));
}
fs::path going(std::string_view name) {
    return directory_of(berth::format(".old-{}", name));
}

void make_directory(const fs::path &path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST)
        fail_errno("creating {}", path.native());
}

bool is_empty(const fs::path &directory) {
    std::error_code error;
    return fs::is_empty(directory, error) && !error;
}

bool is_mount_point(const fs::path &path) {
    struct statx stx{};
    return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &stx) == 0
           && (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

void bind_mount(const fs::path &source, const fs::path &file) {
    if (::mount(source.c_str(), file.c_str(), nullptr, MS_BIND, nullptr) < 0)
        fail_errno("mounting on {}", file.native());
}

void set_propagation(const fs::path &mount, unsigned long how) {
    if (::mount(nullptr, mount.c_str(), nullptr, how, nullptr) < 0)
        fail_errno("setting the propagation of the mount at {}", mount.native());
}

/// The directory of the names is a mount that only it shares with copies of itself: a service or machine
/// that starts while something is held has such copies in its mount namespace, where they would keep
/// it alive, did they not go with ours.
void make_base() {
    make_directory(held_directory, 0700);
    const bool mounted = is_mount_point(held_directory);
    if (mounted && !is_empty(held_directory))
        return;
    if (!mounted)
        bind_mount(held_directory, held_directory);
    set_propagation(held_directory, MS_PRIVATE); // not with /run, beside which all would show twice
    set_propagation(held_directory, MS_SHARED);
}

/// Removes it when no name is left.
void drop_base() noexcept {
    const std::string path(held_directory);
    if (::rmdir(path.c_str()) == 0 || errno != EBUSY)
        return;
    try {
        if (is_empty(held_directory) && ::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
            ::rmdir(path.c_str());
    } catch (const std::exception &) { // NOLINT(bugprone-empty-catch): an empty directory stays
    }
}

/// One of us at a time. Nobody but root may open the file: a lock on what all may read, all may hold.
class Lock {
public:
    Lock() {
        const fs::path above = fs::path(held_directory).parent_path();
        make_directory(above, 0755);
        const fs::path file = above / "ns.lock";
        fd_.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!fd_)
            fail_errno("opening {}", file.native());
        while (::flock(fd_.get(), LOCK_EX) < 0)
            if (errno != EINTR)
                fail_errno("locking {}", file.native());
    }
    Lock(const Lock &) = delete;
    Lock &operator=(const Lock &) = delete;
    ~Lock() { drop_base(); }

private:
    unique_fd fd_;
};

bool shows_namespace(const fs::path &file) {
    struct statfs st{};
    return ::statfs(file.c_str(), &st) == 0 && st.f_type == NSFS_MAGIC;
}

/// Unmounts all there is on `file`, and removes it.
void remove_file(const fs::path &file) {
    int mounts = 0;
    while (::umount2(file.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0 && mounts < max_stacked)
        ++mounts;
    if (errno != EINVAL && errno != ENOENT) // EINVAL: nothing is mounted there any more
        fail_errno("unmounting {}", file.native());
    if (::unlink(file.c_str()) < 0 && errno != ENOENT)
        fail_errno("removing {}", file.native());
}

std::vector<fs::path> files_in(const fs::path &directory) {
    std::vector<fs::path> files;
    std::error_code error;
    for (const fs::directory_entry &entry : fs::directory_iterator(directory, error))
        files.push_back(entry.path());
    return files;
}

void remove_directory(const fs::path &directory) {
    for (const fs::path &file : files_in(directory))
        remove_file(file);
    if (::rmdir(directory.c_str()) < 0 && errno != ENOENT)
        fail_errno("removing {}", directory.native());
}

/// Removes what one that was killed has left of the name: whatever is not held.
void sweep(std::string_view name) {
    remove_directory(coming(name));
    remove_directory(going(name));
    const fs::path directory = directory_of(name);
    for (const fs::path &file : files_in(directory))
        if (!shows_namespace(file))
            remove_file(file);
    if (::rmdir(directory.c_str()) < 0 && errno != ENOENT && errno != ENOTEMPTY)
        fail_errno("removing {}", directory.native());
}

/// A mount namespace cannot be mounted where the mount would spread to other mount namespaces; those
/// of other kinds shall, so that they are gone everywhere once they are released.
void make_private_place(const fs::path &file) {
    bind_mount(file, file);
    set_propagation(file, MS_PRIVATE);
}

void place(const fs::path &directory, const Member &member, const std::string &what) {
    const fs::path file = directory / member.kind->name;
    const unique_fd made(::open(file.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (!made)
        fail_errno("creating {}", file.native());
    const bool is_mount = member.kind->name == "mnt";
    if (is_mount)
        make_private_place(file);
    try {
        bind_mount(descriptor_path(member.fd.get()), file);
    } catch (const Error &error) {
        if (!is_mount || error.code() != EINVAL)
            throw;
        fail_code(EINVAL,
                  "the kernel refuses to hold the mount namespace of {} here: only one that it numbers as "
                  "newer than "
                  "the mount namespace we are in can be held in it; --kind= can leave it out",
                  what);
    }
}

} // namespace

void require_held_name(std::string_view name) {
    if (!machine_name_valid(name) || is_number(name))
        fail("\"{}\" is not a name to hold namespaces under: letters, digits, \"-\", \"_\" and \".\" are "
             "allowed, "
             "1 to 64 of them, not digits alone, with no dot or dash at either end",
             c_escape(name));
}

bool is_held(std::string_view name) {
    return machine_name_valid(name) && std::ranges::any_of(files_in(directory_of(name)), shows_namespace);
}

void hold(const std::string &name, const Target &target) {
    require_held_name(name);
    const Lock lock;
    make_base();
    sweep(name);
    if (is_held(name))
        fail("namespaces are held as {} already; berth ns release {} lets go of them", name, name);
    const fs::path directory = coming(name);
    try {
        make_directory(directory, 0700);
        for (const Member &member : target.members)
            place(directory, member, target.what);
        if (::rename(directory.c_str(), directory_of(name).c_str()) < 0)
            fail_errno("renaming {}", directory.native());
    } catch (...) {
        try {
            remove_directory(directory);
        } catch (const Error &) { // NOLINT(bugprone-empty-catch): the next one sweeps
        }
        throw;
    }
}

void release(const std::string &name, const Kinds &wanted) {
    require_held_name(name);
    const Lock lock;
    sweep(name);
    if (!is_held(name))
        fail("nothing is held as {}; berth ns list shows what is", name);
    const fs::path directory = directory_of(name);
    if (wanted.empty()) {
        if (::rename(directory.c_str(), going(name).c_str()) < 0)
            fail_errno("renaming {}", directory.native());
    } else {
        for (const Kind *kind : wanted)
            if (!shows_namespace(directory / kind->name))
                fail("no {} namespace is held as {}", kind->name, name);
        for (const Kind *kind : wanted)
            remove_file(directory / kind->name);
    }
    sweep(name);
}

Target open_held(const std::string &name, const Kinds &wanted) {
    Target target{.what = "what is held as " + name, .members = {}, .process = {}};
    for (const Kind &kind : kinds()) {
        const bool asked_for = std::ranges::contains(wanted, &kind);
        const fs::path file = directory_of(name) / kind.name;
        if ((!wanted.empty() && !asked_for) || (!asked_for && !shows_namespace(file)))
            continue;
        unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd || kind_of(fd.get()) != &kind)
            fail("no {} namespace is held as {}", kind.name, name);
        target.members.push_back({.kind = &kind, .fd = std::move(fd)});
    }
    if (target.members.empty())
        fail("nothing is held as {} any more", name);
    return target;
}

} // namespace berth::ns
