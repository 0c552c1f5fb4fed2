// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/bound_users.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/error.hpp"
#include "base/helper.hpp"
#include "base/io.hpp"
#include "base/rooted.hpp"
#include "base/same_file.hpp"
#include "build.hpp"
#include "kernel/mounts.hpp"
#include "user/machine_ids.hpp"
#include "user/record.hpp"

namespace berth::bound_users {

namespace {

/// What the tree says of its own users.
struct Databases {
    explicit Databases(int root)
        : passwd(rooted::read_file(root, "/etc/passwd").value_or("")),
          group(rooted::read_file(root, "/etc/group").value_or("")) {}

    std::string passwd;
    std::string group;
};

void require_new_name(const std::string &name, const Databases &tree) {
    if (user::has_name(tree.passwd, name))
        fail("the machine has a user {} of its own", name);
    if (user::has_name(tree.group, name))
        fail("the machine has a group {} of its own", name);
}

std::uint32_t pick_id(const Databases &tree, const IdMaps &ids, const std::vector<std::uint32_t> &taken) {
    const auto id = user::free_id(tree.passwd, tree.group, ids.count(), taken);
    if (!id)
        fail("the machine has no free ID from {} to {}: its own users have {} IDs, or use them all",
             user::first_mapped_id, user::last_mapped_id, ids.count());
    return *id;
}

void write_record(int folder, const user::RecordFile &record) {
    const unique_fd fd(::openat(folder, record.name.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, record.mode));
    if (!fd)
        fail_errno("creating {} in /run/host/userdb", record.name);
    write_all(fd.get(), record.content, record.name);
    if (::symlinkat(record.name.c_str(), folder, record.link.c_str()) < 0)
        fail_errno("making the link {} in /run/host/userdb", record.link);
}

/// Maps the home's owner alone, all others are nobody; false where the filesystem cannot, or where
/// the mount is mapped already, as those of systemd-homed are.
bool map_home(int mount, const Guest &guest, const IdMaps &ids) {
    try {
        ids.map_guest(mount, guest, true);
        return true;
    } catch (const Error &error) {
        if (error.code() == EINVAL || error.code() == EPERM)
            return false;
        throw;
    }
}

bool is_root(int directory) {
    struct stat it{};
    struct stat root{};
    if (::fstat(directory, &it) < 0 || ::stat("/", &root) < 0)
        fail_errno("looking at the home of a user");
    return is_same_file(it, root);
}

/// True when the home was mapped.
bool mount_home(const user::HostUser &user, const Guest &guest, int host, const IdMaps &ids) {
    const unique_fd home(::open(user.home.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!home)
        fail_errno("opening {}, the home of user {}", user.home, user.name);
    if (is_root(home.get())) // by whatever path
        fail("the home of user {} is the host's root", user.name);
    const unique_fd mount = mounts::clone_tree(home.get(), "", true);
    const bool mapped = map_home(mount.get(), guest, ids);
    const unique_fd target = rooted::make_directory(host, "home/" + user.name);
    mounts::attach(mount.get(), target.get(), user::home_inside(user.name));
    return mapped;
}

} // namespace

std::vector<user::HostUser> look_up(const UsersPlan &plan) {
    std::vector<user::HostUser> users;
    for (const BindUser &wanted : plan.bound) {
        try {
            users.push_back(user::from_text(
                helper::output_of({std::string(build::libexecdir) + "/berth-user", wanted.name},
                                  "look up user " + wanted.name)));
        } catch (const Error &error) {
            throw Error(wanted.origin.text + ": " + error.what(), error.code());
        }
    }
    return users;
}

std::vector<Guest> settle(const UsersPlan &plan, const std::vector<user::HostUser> &users, int root, int host,
                          const IdMaps &ids) {
    std::vector<Guest> guests;
    if (users.empty())
        return guests;
    const Databases tree(root);
    const unique_fd folder = rooted::make_directory(host, "userdb");
    std::vector<std::uint32_t> taken;
    for (std::size_t i = 0; i < users.size(); ++i) {
        const user::HostUser &user = users[i];
        try {
            require_new_name(user.name, tree);
            const std::uint32_t id = taken.emplace_back(pick_id(tree, ids, taken));
            const std::string shell = !plan.bound_shell           ? ""
                                      : plan.bound_shell->empty() ? user.shell
                                                                  : *plan.bound_shell;
            for (const user::RecordFile &record : user::records(user, id, shell))
                write_record(folder.get(), record);
            const Guest guest{.name = user.name, .uid = user.uid, .gid = user.gid, .inside = id};
            if (!mount_home(user, guest, host, ids)) {
                guests.push_back(guest);
                (void)ids.of_machine(guests); // to fail here, where the setting is known
            }
        } catch (const Error &error) {
            throw Error(plan.bound[i].origin.text + ": " + error.what(), error.code());
        }
    }
    return guests;
}

} // namespace berth::bound_users
