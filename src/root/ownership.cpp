// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/ownership.hpp"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/many_descriptors.hpp"
#include "base/unique_fd.hpp"
#include "kernel/id_maps.hpp"
#include "kernel/mounts.hpp"

namespace berth::ownership {

namespace {

constexpr std::uint64_t report_every = 1000;

constexpr const char *capability_attribute = "security.capability";

constexpr std::uint32_t shifted(std::uint32_t id, std::uint32_t base) {
    return base + (id & 0xffffU);
}

unique_fd open_directory(int fd, const std::string &path) {
    unique_fd directory(::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        fail_errno("opening the directory {}", path);
    return directory;
}

struct CloseDirectory {
    void operator()(DIR *directory) const noexcept { ::closedir(directory); }
};

class Walk {
public:
    Walk(std::uint32_t base, dev_t device, const std::function<void(std::uint64_t)> &progress)
        : base_(base), device_(device), progress_(progress) {}

    /// What is in the directory behind `fd`, not it itself.
    void enter(unique_fd fd, const std::string &path) {
        const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd.get()));
        if (!directory)
            fail_errno("reading the directory {}", path);
        const int at = fd.release(); // the stream's from now on
        errno = 0;
        while (const dirent *entry =
                   ::readdir(directory.get())) { // NOLINT(concurrency-mt-unsafe): its own stream
            const std::string name(static_cast<const char *>(entry->d_name));
            if (name != "." && name != "..")
                visit(at, name, path + "/" + name);
            errno = 0;
        }
        if (errno != 0)
            fail_errno("reading the directory {}", path);
    }

    /// The file behind `fd` (O_PATH), and nothing else: who may write in its folder can put a link
    /// to a file of the host in its place at any time.
    void change(int fd, const std::string &path) {
        const struct stat st = look_at(fd, path);
        const uid_t uid = shifted(st.st_uid, base_);
        const gid_t gid = shifted(st.st_gid, base_);
        const std::string file = descriptor_path(fd);
        if (!S_ISLNK(st.st_mode))
            for (const char *kind : {"system.posix_acl_access", "system.posix_acl_default"})
                shift_acl(file, kind, path);
        if (uid != st.st_uid || gid != st.st_gid) {
            // chown(2) takes file capabilities, set-user-ID and the like away
            const std::optional<vfs_ns_cap_data> capabilities =
                S_ISREG(st.st_mode) ? capabilities_of(file, path) : std::nullopt;
            if (::fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
                fail_errno("changing the owner of {}", path);
            if (capabilities)
                give_capabilities(file, *capabilities, path);
            if (!S_ISLNK(st.st_mode) && (st.st_mode & 07000U) != 0
                && ::chmod(file.c_str(), st.st_mode & 07777U) < 0)
                fail_errno("restoring the mode of {}", path);
        }
        if (++count_ % report_every == 0)
            progress_(count_);
    }

private:
    void visit(int at, const std::string &name, const std::string &path) {
        const unique_fd fd(::openat(at, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (!fd)
            fail_errno("opening {}", path);
        const struct stat st = look_at(fd.get(), path);
        if (st.st_dev != device_)
            return; // something mounted there
        if (S_ISDIR(st.st_mode))
            enter(open_directory(fd.get(), path), path);
        change(fd.get(), path);
    }

    static struct stat look_at(int fd, const std::string &path) {
        struct stat st{};
        if (::fstat(fd, &st) < 0)
            fail_errno("looking at {}", path);
        return st;
    }

    /// capabilities(7), "File capabilities".
    static std::optional<vfs_ns_cap_data> capabilities_of(const std::string &file, const std::string &path) {
        vfs_ns_cap_data data{};
        const ssize_t n = ::getxattr(file.c_str(), capability_attribute, &data, sizeof data);
        if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP)
            fail_errno("reading the capabilities of {}", path);
        if (n != XATTR_CAPS_SZ_2 && n != XATTR_CAPS_SZ_3)
            return std::nullopt;
        return data;
    }

    /// The capabilities again, worth something only to the root of the new range.
    void give_capabilities(const std::string &file, vfs_ns_cap_data data, const std::string &path) const {
        const std::uint32_t effective = le32toh(data.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE;
        const std::uint32_t root = shifted(le32toh(data.rootid), base_);
        data.magic_etc = htole32((root == 0 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3) | effective);
        data.rootid = htole32(root);
        if (::setxattr(file.c_str(), capability_attribute, &data,
                       root == 0 ? XATTR_CAPS_SZ_2 : XATTR_CAPS_SZ_3, 0)
            < 0)
            fail_errno("restoring the capabilities of {}", path);
    }

    /// acl(5): entries of named users and groups hold IDs, too.
    void shift_acl(const std::string &link, const char *kind, const std::string &path) const {
        std::array<char, 65536> value{};
        const ssize_t n = ::getxattr(link.c_str(), kind, value.data(), value.size());
        if (n < 0) {
            if (errno == ENODATA || errno == EOPNOTSUPP)
                return;
            fail_errno("reading an ACL of {}", path);
        }
        bool changed = false;
        for (std::size_t i = sizeof(posix_acl_xattr_header);
             i + sizeof(posix_acl_xattr_entry) <= static_cast<std::size_t>(n);
             i += sizeof(posix_acl_xattr_entry)) {
            posix_acl_xattr_entry entry{};
            std::memcpy(&entry, value.data() + i, sizeof entry);
            const auto tag = le16toh(entry.e_tag);
            if (tag != ACL_USER && tag != ACL_GROUP)
                continue;
            entry.e_id = htole32(shifted(le32toh(entry.e_id), base_));
            std::memcpy(value.data() + i, &entry, sizeof entry);
            changed = true;
        }
        if (changed && ::setxattr(link.c_str(), kind, value.data(), static_cast<std::size_t>(n), 0) < 0)
            fail_errno("writing an ACL of {}", path);
    }

    std::uint32_t base_;
    dev_t device_;
    const std::function<void(std::uint64_t)> &progress_;
    std::uint64_t count_ = 0;
};

} // namespace

bool can_map(int tree) {
    const unique_fd mount = mounts::clone_tree(tree, "", false);
    const id_map::Range any{.inside = 0, .outside = 1, .count = 1};
    const unique_fd users = user_namespace::make({.users = {any}, .groups = {any}});
    try {
        mounts::set_id_map(mount.get(), users.get(), false);
        return true;
    } catch (const Error &) { // EINVAL, EPERM or EOPNOTSUPP: no
        return false;
    }
}

void move_to(int tree, const std::string &path, std::uint32_t base,
             const std::function<void(std::uint64_t)> &progress) {
    if (range_base(base) != base)
        fail("files can be given to ranges that begin at a multiple of 65536 only, not to one from {} on",
             base);
    const ManyDescriptors deep;
    struct stat st{};
    if (::fstat(tree, &st) < 0)
        fail_errno("looking at {}", path);
    if (st.st_uid == shifted(st.st_uid, base) && st.st_gid == shifted(st.st_gid, base))
        return; // done before
    Walk walk(base, st.st_dev, progress);
    walk.enter(open_directory(tree, path), path);
    walk.change(tree, path);
}

} // namespace berth::ownership
