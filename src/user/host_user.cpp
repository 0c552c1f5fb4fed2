// SPDX-License-Identifier: LGPL-2.1-or-later
#include "user/host_user.hpp"

#include "base/error.hpp"
#include "base/json.hpp"

namespace berth::user {

std::string to_text(const HostUser &user) {
    const Json json{{"name", user.name},
                    {"uid", user.uid},
                    {"gid", user.gid},
                    {"home", user.home},
                    {"shell", user.shell},
                    {"disposition", user.disposition},
                    {"hashed_passwords", user.hashed_passwords},
                    {"authorized_keys", user.authorized_keys}};
    return json_text(json) + "\n";
}

HostUser from_text(std::string_view text) {
    try {
        const Json json = parse_json(text);
        return {.name = json.at("name"),
                .uid = json.at("uid"),
                .gid = json.at("gid"),
                .home = json.at("home"),
                .shell = json.at("shell"),
                .disposition = json.at("disposition"),
                .hashed_passwords = json.at("hashed_passwords"),
                .authorized_keys = json.at("authorized_keys")};
    } catch (const Json::exception &error) {
        fail("berth-user said something that makes no sense: {}", error.what());
    }
}

} // namespace berth::user
