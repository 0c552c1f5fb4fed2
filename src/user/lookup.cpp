// SPDX-License-Identifier: LGPL-2.1-or-later
#include "user/lookup.hpp"

#include <grp.h>
#include <pwd.h>
#include <shadow.h>

#include <limits>
#include <optional>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/json.hpp"

namespace berth::user {

namespace {

constexpr uid_t nobody = 65534;

/// A record's file; nothing when there is none.
std::optional<Json> read_record(const std::string &path) {
    const auto text = read_file_if_there(path);
    if (!text)
        return std::nullopt;
    try {
        Json record = parse_json(*text);
        if (record.is_object())
            return record;
    } catch (const Json::exception &error) {
        fail("{} is no user record: {}", path, error.what());
    }
    fail("{} is no user record: it is no JSON object", path);
}

void take_secrets(const Json &record, HostUser &user) {
    const Json secrets = record.value("privileged", Json::object());
    user.hashed_passwords = secrets.value("hashedPassword", user.hashed_passwords);
    user.authorized_keys = secrets.value("sshAuthorizedKeys", user.authorized_keys);
}

/// Calls one of the functions of getpwnam_r(3) and its like; nullptr when there is no such entry.
template <class Entry, class Key>
Entry *ask(int (*function)(Key, Entry *, char *, std::size_t, Entry **), Key key, Entry &entry,
           std::vector<char> &buffer) {
    constexpr std::size_t first_size = 4096;
    constexpr std::size_t limit = 16UL * 1024 * 1024; // a group may have many members
    for (std::size_t size = first_size;; size *= 2) {
        buffer.resize(size);
        Entry *found = nullptr;
        const int code = function(key, &entry, buffer.data(), buffer.size(), &found);
        if (code == ERANGE && size < limit)
            continue;
        // Some services report a missing entry as an error.
        if (code != 0 && code != ENOENT && code != ESRCH && code != EBADF && code != EPERM)
            fail_code(code, "asking the host's name services");
        return found;
    }
}

std::string group_named(gid_t gid) {
    group entry{};
    std::vector<char> buffer;
    const group *found = ask(&::getgrgid_r, gid, entry, buffer);
    return found != nullptr ? found->gr_name : "";
}

Found in_name_services(const std::string &name) {
    passwd entry{};
    std::vector<char> buffer;
    const passwd *found = ask(&::getpwnam_r, name.c_str(), entry, buffer);
    if (found == nullptr)
        return {};
    HostUser user{.name = found->pw_name,
                  .uid = found->pw_uid,
                  .gid = found->pw_gid,
                  .home = found->pw_dir,
                  .shell = found->pw_shell,
                  .disposition = {},
                  .hashed_passwords = {},
                  .authorized_keys = {}};
    spwd shadow{};
    std::vector<char> more;
    if (const spwd *secret = ask(&::getspnam_r, name.c_str(), shadow, more);
        secret != nullptr && secret->sp_pwdp != nullptr)
        user.hashed_passwords = {secret->sp_pwdp};
    return {.user = user, .group = group_named(user.gid)};
}

/// The name of group `gid` in `folders`, else in the name services.
std::string group_of(gid_t gid, const Folders &folders) {
    for (const std::string &folder : folders)
        if (const auto record = read_record(berth::format("{}/{}.group", folder, gid)))
            return record->value("groupName", "");
    return group_named(gid);
}

void refuse_special(const HostUser &user) {
    if (user.uid == 0 || user.gid == 0)
        fail("user {} is root on the host, or in its group: no machine may share that", user.name);
    if (user.uid == nobody || user.gid == nobody)
        fail("user {} is nobody, and stands for all who are not mapped", user.name);
    for (const std::uint32_t id : {user.uid, user.gid})
        if (id == std::numeric_limits<std::uint32_t>::max()
            || id == std::numeric_limits<std::uint16_t>::max())
            fail("user {} has ID {}, which means \"none\"", user.name, id);
}

} // namespace

const Folders &record_folders() {
    static const Folders folders{"/etc/userdb", "/run/userdb", "/run/host/userdb", "/usr/local/lib/userdb",
                                 "/usr/lib/userdb"};
    return folders;
}

Found in_folders(const std::string &name, const Folders &folders) {
    for (const std::string &folder : folders) {
        const std::string path = berth::format("{}/{}.user", folder, name);
        const auto record = read_record(path);
        if (!record)
            continue;
        try {
            HostUser user{.name = record->at("userName"),
                          .uid = record->at("uid"),
                          .gid = record->value("gid", record->at("uid").get<gid_t>()),
                          .home = record->value("homeDirectory", "/home/" + name),
                          .shell = record->value("shell", ""),
                          .disposition = record->value("disposition", ""),
                          .hashed_passwords = {},
                          .authorized_keys = {}};
            take_secrets(*record, user);
            if (const auto secrets = read_record(path + "-privileged"))
                take_secrets(*secrets, user);
            return {.user = user, .group = group_of(user.gid, folders)};
        } catch (const Json::exception &error) {
            fail("{} is no user record: {}", path, error.what());
        }
    }
    return {};
}

HostUser look_up(const std::string &name) {
    Found found = in_folders(name, record_folders());
    if (found.user.name.empty())
        found = in_name_services(name);
    if (found.user.name != name) // name services may take other spellings for it
        fail("there is no user {} on the host", name);
    refuse_special(found.user);
    if (found.group != name)
        fail("the primary group of user {} is {}, which is not a private one: that would have the same name",
             name,
             found.group.empty() ? berth::format("group {}, which has no name", found.user.gid)
                                 : found.group);
    return std::move(found.user);
}

} // namespace berth::user
