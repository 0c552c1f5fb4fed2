// SPDX-License-Identifier: LGPL-2.1-or-later
// A user of the host, and how berth-user tells the launcher of one.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace berth::user {

/// What a machine may know of a user of the host.
struct HostUser {
    std::string name; ///< the private group's, too
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
    std::string shell;                         ///< may be empty
    std::string disposition;                   ///< as user records have it; mostly empty
    std::vector<std::string> hashed_passwords; ///< crypt(5)
    std::vector<std::string> authorized_keys;  ///< for SSH

    friend bool operator==(const HostUser &, const HostUser &) = default;
};

/// One line of JSON.
[[nodiscard]] std::string to_text(const HostUser &user);

/// Undoes to_text(). Throws Error when `text` is not of its making.
[[nodiscard]] HostUser from_text(std::string_view text);

} // namespace berth::user
