// SPDX-License-Identifier: LGPL-2.1-or-later
#include "user/users.hpp"

#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "base/rooted.hpp"

namespace berth::users {

namespace {

std::optional<uid_t> parse_uid(std::string_view text) {
    const auto number = parse_unsigned(text);
    // the highest values mean "no user" to the kernel
    if (!number || *number >= std::numeric_limits<uid_t>::max() || *number == 0xffff)
        return std::nullopt;
    return static_cast<uid_t>(*number);
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// The entry of passwd(5) for `name`, if there is one and it makes sense. A number is looked up as a number
/// alone: the machine may have named a user like another's ID.
std::optional<User> find(std::string_view passwd, std::string_view name) {
    const auto number = is_number(name) ? parse_uid(name) : std::nullopt;
    for (const std::string &line : split(passwd, '\n')) {
        const std::vector<std::string> fields = split(line, ':');
        if (fields.size() < 7)
            continue;
        const auto uid = parse_uid(fields[2]);
        const auto gid = parse_uid(fields[3]);
        if (!uid || !gid || (number ? *uid != *number : fields[0] != name))
            continue;
        return User{.name = fields[0],
                    .uid = *uid,
                    .gid = *gid,
                    .groups = {},
                    .home = fields[5].starts_with('/') ? fields[5] : "/",
                    .shell = fields[6]};
    }
    return std::nullopt;
}

/// Groups of group(5) that list `user` as a member.
std::vector<gid_t> groups_of(std::string_view group, const User &user) {
    std::vector<gid_t> groups{user.gid};
    for (const std::string &line : split(group, '\n')) {
        const std::vector<std::string> fields = split(line, ':');
        if (fields.size() < 4)
            continue;
        const auto gid = parse_uid(fields[2]);
        const std::vector<std::string> members = split(fields[3], ',');
        if (gid && *gid != user.gid && std::ranges::find(members, user.name) != members.end())
            groups.push_back(*gid);
    }
    return groups;
}

/// A user of the host that the machine was given (bound_users.hpp), by its record. Whoever is root
/// inside may put another one there, as in passwd(5).
std::optional<User> find_bound(int root, std::string_view name) {
    if (!user_name_valid(name) || is_number(name))
        return std::nullopt;
    const auto text = rooted::read_file(root, berth::format("/run/host/userdb/{}.user", name));
    const auto parsed = try_parse_json(text.value_or(""));
    if (!parsed || !parsed->is_object())
        return std::nullopt;
    const Json &record = *parsed;
    const auto id = [&](const char *key) {
        const auto found = record.find(key);
        return found == record.end() ? std::nullopt : parse_uid(found->dump());
    };
    const auto word = [&](const char *key) {
        const auto found = record.find(key);
        return found == record.end() || !found->is_string() ? "" : found->get<std::string>();
    };
    const auto uid = id("uid");
    const auto gid = id("gid");
    if (!uid || !gid)
        return std::nullopt;
    const std::string home = word("homeDirectory");
    return User{.name = std::string(name),
                .uid = *uid,
                .gid = *gid,
                .groups = {*gid},
                .home = home.starts_with('/') ? home : "/",
                .shell = word("shell")};
}

} // namespace

User look_up(int root, std::string_view name) {
    if (is_number(name) && !parse_uid(name))
        fail("\"{}\" is no user ID", name);
    const auto passwd = rooted::read_file(root, "/etc/passwd");
    if (passwd)
        if (auto user = find(*passwd, name.empty() ? "root" : name)) {
            if (const auto group = rooted::read_file(root, "/etc/group"))
                user->groups = groups_of(*group, *user);
            return *user;
        }
    if (name.empty() || name == "root" || name == "0")
        return User{};
    if (auto user = find_bound(root, name))
        return *user;
    if (const auto uid = is_number(name) ? parse_uid(name) : std::nullopt) // a number needs no entry
        return User{
            .name = std::string(name), .uid = *uid, .gid = *uid, .groups = {}, .home = "/", .shell = {}};
    fail("there is no user \"{}\" in the machine", name);
}

void become(const User &user) {
    if (::setgroups(user.groups.size(), user.groups.data()) < 0)
        fail_errno("setting the groups of user {}", user.name);
    if (::setresgid(user.gid, user.gid, user.gid) < 0)
        fail_errno("changing to group {}", user.gid);
    if (::setresuid(user.uid, user.uid, user.uid) < 0)
        fail_errno("changing to user {}", user.name);
}

} // namespace berth::users
