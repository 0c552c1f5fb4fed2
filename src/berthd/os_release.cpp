// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/os_release.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/env_file.hpp"
#include "base/error.hpp"
#include "base/first_process.hpp"
#include "base/id_map.hpp"
#include "base/io.hpp"
#include "base/pidfd.hpp"
#include "base/rooted.hpp"
#include "base/utf8.hpp"
#include "systemd/process.hpp"

namespace berth::os_release {

namespace {

constexpr std::size_t size_limit = 64UL * 1024;

bool name_valid(std::string_view name) {
    const auto fits = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
    return !name.empty() && std::ranges::all_of(name, fits) && (name.front() < '0' || name.front() > '9');
}

bool value_valid(std::string_view value) {
    while (!value.empty()) {
        const auto character = utf8::first(value);
        if (!character || character->code < ' ' || character->code == 0x7f)
            return false;
        value.remove_prefix(character->length);
    }
    return true;
}

/// Whoever asks is told what the files say that the machine has there, be they links: what its root may not
/// read is not for us to read either.
void become_root_of(int pidfd) {
    const auto id = [&](const char *map) {
        const unique_fd file = process::open_proc(pidfd, map, O_RDONLY);
        return id_map::outside_of(id_map::parse(read_all(file.get(), map)), 0);
    };
    const auto uid = id("uid_map");
    const auto gid = id("gid_map");
    if (!uid || !gid)
        fail("it has no root user");
    if (*uid == 0 || process::shares_user_namespace(pidfd))
        return;
    // For filesystems alone: a host's user with that number shall not get at us.
    if (::setgroups(0, nullptr) < 0)
        fail_errno("leaving our groups");
    ::setfsgid(*gid);
    ::setfsuid(*uid);
    if (static_cast<uid_t>(::setfsuid(~uid_t{0})) != *uid
        || static_cast<gid_t>(::setfsgid(~gid_t{0})) != *gid)
        fail("becoming its root user: not permitted");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // which that has undone
}

} // namespace

std::string read(int pidfd) {
    first_process::await(pidfd, pidfd::pid_of(pidfd));
    const unique_fd root = process::open_proc(pidfd, "root", O_PATH | O_DIRECTORY);
    become_root_of(pidfd);
    for (const char *path : {"/etc/os-release", "/usr/lib/os-release"})
        if (auto text = rooted::read_file(root.get(), path, size_limit))
            return std::move(*text);
    fail("it has neither /etc/os-release nor /usr/lib/os-release");
}

Fields parse(std::string_view text) {
    Fields fields = parse_env_file(text);
    std::erase_if(fields,
                  [](const auto &field) { return !name_valid(field.first) || !value_valid(field.second); });
    return fields;
}

} // namespace berth::os_release
