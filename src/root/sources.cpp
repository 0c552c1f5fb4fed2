// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/sources.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.hpp"
#include "base/host_path.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/rooted.hpp"
#include "kernel/mounts.hpp"
#include "kernel/overlay.hpp"
#include "root/work_folder.hpp"

namespace berth::sources {

namespace {

using Kind = MountConfig::Kind;

/// The source as a descriptor (O_PATH), in the tree or on the host. Empty with ENOENT in errno
/// when there is none.
unique_fd locate(const MountConfig::Source &source, int tree) {
    if (source.inside)
        return rooted::try_open(tree, source.path, O_PATH);
    return host_path::try_open(source.path, O_PATH); // the plan has resolved links
}

unique_fd require(const MountConfig::Source &source, int tree) {
    unique_fd fd = locate(source, tree);
    if (!fd)
        fail_errno("opening {}{}", source.inside ? "in the tree " : "", source.path);
    return fd;
}

/// The owner of what is at the destination inside; root where nothing is.
void destination_owner(const MountPlan &mount, int tree, const IdMaps &ids, uid_t &uid, gid_t &gid) {
    const unique_fd target = rooted::try_open(tree, mount.destination, O_PATH);
    struct stat st{};
    if (!target || ::fstat(target.get(), &st) < 0)
        return;
    uid = st.st_uid - std::min(st.st_uid, ids.base());
    gid = st.st_gid - std::min(st.st_gid, ids.base());
}

void map_users(const MountPlan &mount, int fd, const struct stat &source, int tree, IdMaps &ids) {
    uid_t uid = 0;
    gid_t gid = 0;
    switch (mount.id_map) {
    case IdMap::none: break;
    case IdMap::idmap: ids.map_all(fd, mount.recursive); break;
    case IdMap::owneridmap: destination_owner(mount, tree, ids, uid, gid); [[fallthrough]];
    case IdMap::rootidmap: ids.map_owner(fd, source, uid, gid, mount.recursive); break;
    }
}

unique_fd open_bind(const MountPlan &mount, int tree, IdMaps &ids, Scratch &scratch) {
    MountConfig::Source source = mount.sources[0];
    if (source.path.empty())
        source.path = scratch.make_directory(ids.base(), 0755);
    const unique_fd place = locate(source, tree);
    if (!place) {
        if (mount.optional && errno == ENOENT)
            return {};
        fail_errno("opening {}{}", source.inside ? "in the tree " : "", source.path);
    }
    struct stat st{};
    if (::fstat(place.get(), &st) < 0)
        fail_errno("looking at {}", source.path);
    unique_fd fd = mounts::clone_tree(place.get(), "", mount.recursive);
    map_users(mount, fd.get(), st, tree, ids);
    if (mount.read_only)
        mounts::set_attributes(fd.get(), MOUNT_ATTR_RDONLY, 0, true);
    return fd;
}

/// Takes a word about the mount rather than the filesystem (mount(8), "Filesystem-independent mount
/// options"); false when it is none.
bool take_mount_word(std::string_view text, unsigned &attributes) {
    struct Word {
        std::string_view name;
        unsigned clear;
        unsigned set;
    };
    constexpr unsigned atime = MOUNT_ATTR__ATIME;
    constexpr std::array words{
        Word{"defaults", 0, 0},
        Word{"rw", MOUNT_ATTR_RDONLY, 0},
        Word{"ro", 0, MOUNT_ATTR_RDONLY},
        Word{"suid", MOUNT_ATTR_NOSUID, 0},
        Word{"nosuid", 0, MOUNT_ATTR_NOSUID},
        Word{"dev", MOUNT_ATTR_NODEV, 0},
        Word{"nodev", 0, MOUNT_ATTR_NODEV},
        Word{"exec", MOUNT_ATTR_NOEXEC, 0},
        Word{"noexec", 0, MOUNT_ATTR_NOEXEC},
        Word{"symfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
        Word{"nosymfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
        Word{"diratime", MOUNT_ATTR_NODIRATIME, 0},
        Word{"nodiratime", 0, MOUNT_ATTR_NODIRATIME},
        Word{"relatime", atime, MOUNT_ATTR_RELATIME},
        Word{"noatime", atime, MOUNT_ATTR_NOATIME},
        Word{"strictatime", atime, MOUNT_ATTR_STRICTATIME},
    };
    const auto *const word = std::ranges::find(words, text, &Word::name);
    if (word == words.end())
        return false;
    attributes = (attributes & ~word->clear) | word->set;
    return true;
}

/// What an option says of a user of the machine, as the kernel takes it from us.
std::string machine_id(const IdMaps &ids, const mounts::Option &option) {
    const auto id = parse_unsigned(option.value);
    if (id && ids.own_users() && *id >= ids.count())
        fail("{}={}: the machine has users below {} alone", option.key, option.value, ids.count());
    return ids.host_id(option.value);
}

unique_fd make_tmpfs(const MountPlan &mount, const IdMaps &ids, const std::string &context) {
    std::vector<mounts::Option> options{{"source", "tmpfs"}};
    const auto has = [&](std::string_view name) {
        return std::ranges::contains(options, name, &mounts::Option::key);
    };
    for (const std::string &option : split(mount.options, ',')) {
        const auto at = option.find('=');
        if (!option.empty())
            options.emplace_back(option.substr(0, at), at == std::string::npos ? "" : option.substr(at + 1));
    }
    unsigned attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME;
    std::erase_if(options, [&](const mounts::Option &option) {
        return option.value.empty() && take_mount_word(option.key, attributes);
    });
    if (mount.options.empty())
        options.emplace_back("mode", "0755"); // else the kernel's default, as systemd-nspawn(1) has it
    if (!context.empty() && !has("context"))
        options.emplace_back("context", context);
    for (const char *name : {"uid", "gid"})
        if (!has(name))
            options.emplace_back(name, "0");
    for (mounts::Option &option : options)
        if (option.key == "uid" || option.key == "gid")
            option.value = machine_id(ids, option);
    return mounts::new_filesystem("tmpfs", options, attributes);
}

/// Folders of the host have the host's owners: root's are the machine's root's, however its tree came to its users.
/// Where their filesystem cannot map them they are shown as they are.
unique_fd mount_mapped(const overlay::Request &request, const IdMaps &ids) {
    IdMaps as_they_are;
    if (!ids.own_users())
        return overlay::mount(request, as_they_are);
    IdMaps mapped(ids.base(), ids.count(), true);
    try {
        return overlay::mount(request, mapped);
    } catch (const Error &error) {
        if (error.code() != EINVAL)
            throw;
    }
    return overlay::mount(request, as_they_are);
}

unique_fd open_overlay(const MountPlan &mount, int tree, Scratch &scratch, const IdMaps &ids) {
    overlay::Request request{.attributes = ids.own_users() ? unsigned{MOUNT_ATTR_NODEV} : 0U};
    std::vector<unique_fd> held; // layers in the tree have no path of the host's but this
    const auto path_of = [&](const MountConfig::Source &source) {
        if (!source.inside)
            return source.path;
        held.push_back(require(source, tree));
        return descriptor_path(held.back().get());
    };
    for (const MountConfig::Source &source : mount.sources)
        if (!source.path.empty())
            request.lowers.push_back({.path = path_of(source)});
    if (!mount.read_only) {
        const MountConfig::Source &upper = mount.sources.back();
        if (upper.path.empty()) {
            const std::string folder = scratch.make_directory(0, 0700);
            request.upper = folder + "/upper";
            request.work = folder + "/work";
            request.upper_mapped = true;
            if (::mkdir(request.upper.c_str(), 0755) < 0
                || ::chown(request.upper.c_str(), ids.base(), ids.base()) < 0
                || ::mkdir(request.work.c_str(), 0700) < 0)
                fail_errno("making an upper in {}", folder);
        } else if (upper.inside) {
            fail("the layer that is written to must be on the host");
        } else {
            request.lowers.pop_back();
            request.upper = upper.path;
            request.work = work_folder_of(upper.path); // made by the launcher
        }
    }
    if (request.lowers.empty())
        fail("an overlay needs a layer below the one that is written to");
    return mount_mapped(request, ids);
}

} // namespace

const MountConfig::Source *host_upper(const MountPlan &mount) {
    if (mount.kind != Kind::overlay || mount.read_only)
        return nullptr;
    const MountConfig::Source &upper = mount.sources.back();
    return upper.path.empty() || upper.inside ? nullptr : &upper;
}

unique_fd open(const MountPlan &mount, int tree, IdMaps &ids, Scratch &scratch, const std::string &context) {
    try {
        switch (mount.kind) {
        case Kind::bind: return open_bind(mount, tree, ids, scratch);
        case Kind::tmpfs: return make_tmpfs(mount, ids, context);
        case Kind::overlay: return open_overlay(mount, tree, scratch, ids);
        case Kind::inaccessible: break;
        }
        return {};
    } catch (const Error &error) {
        throw Error(mount.origin.text + ": " + error.what(), error.code());
    }
}

} // namespace berth::sources
