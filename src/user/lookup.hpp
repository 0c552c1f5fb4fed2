// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "user/host_user.hpp"

namespace berth::user {

/// Folders of user records, those that count first: nss-systemd(8), "Static user records".
using Folders = std::vector<std::string>;
[[nodiscard]] const Folders &record_folders();

/// The record of user `name` in the first of `folders` that has one, with the name of its primary
/// group. Sections of records that are for certain machines only are passed over. Empty name: none.
struct Found {
    HostUser user;
    std::string group; ///< empty when no group has the ID
};
[[nodiscard]] Found in_folders(const std::string &name, const Folders &folders);

/// The host's user `name`: as a record in its folders, else as its name services (nsswitch.conf(5))
/// have it. Throws Error when there is none, or when it is one that no machine may share: root,
/// nobody, and those whose primary group is not theirs alone.
[[nodiscard]] HostUser look_up(const std::string &name);

} // namespace berth::user
