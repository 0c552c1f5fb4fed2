// SPDX-License-Identifier: LGPL-2.1-or-later
// User and group records (https://systemd.io/USER_RECORD, https://systemd.io/GROUP_RECORD) as files
// that nss-systemd(8) finds in a machine's /run/host/userdb.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/host_user.hpp"

namespace berth::user {

/// One file, and the name that it has by number beside its own.
struct RecordFile {
    std::string name; ///< "anna.user"
    std::string link; ///< "60514.user"
    std::string content;
    mode_t mode = 0644;
};

/// Where a machine sees the home of the host's user `name`.
[[nodiscard]] std::string home_inside(std::string_view name);

/// All records of a user who is `id` in the machine, as user and group: user, what only the
/// machine's root may know of the user, group. With an empty `shell` the machine decides.
[[nodiscard]] std::vector<RecordFile> records(const HostUser &user, std::uint32_t id,
                                              const std::string &shell);

} // namespace berth::user
