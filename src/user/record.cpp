// SPDX-License-Identifier: LGPL-2.1-or-later
#include "user/record.hpp"
#include "base/format.hpp"
#include "base/json.hpp"

namespace berth::user {

namespace {

constexpr const char *service = "org.berth1"; // who answers for the record

RecordFile file(const HostUser &user, std::uint32_t id, std::string_view kind, const Json &record,
                mode_t mode) {
    return {.name = berth::format("{}.{}", user.name, kind),
            .link = berth::format("{}.{}", id, kind),
            .content = json_text(record) + "\n",
            .mode = mode};
}

Json user_record(const HostUser &user, std::uint32_t id, const std::string &shell) {
    Json record{{"userName", user.name}, {"uid", id}, {"gid", id}};
    if (!user.disposition.empty())
        record["disposition"] = user.disposition;
    record["homeDirectory"] = home_inside(user.name);
    if (!shell.empty())
        record["shell"] = shell;
    record["service"] = service;
    return record;
}

Json privileged_record(const HostUser &user) {
    Json secrets = Json::object();
    if (!user.hashed_passwords.empty())
        secrets["hashedPassword"] = user.hashed_passwords;
    if (!user.authorized_keys.empty())
        secrets["sshAuthorizedKeys"] = user.authorized_keys;
    return {{"privileged", secrets}};
}

} // namespace

std::string home_inside(std::string_view name) {
    return berth::format("/run/host/home/{}", name);
}

std::vector<RecordFile> records(const HostUser &user, std::uint32_t id, const std::string &shell) {
    const Json group{{"groupName", user.name}, {"gid", id}, {"service", service}};
    return {file(user, id, "user", user_record(user, id, shell), 0644),
            file(user, id, "user-privileged", privileged_record(user), 0600),
            file(user, id, "group", group, 0644)};
}

} // namespace berth::user
