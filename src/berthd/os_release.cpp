// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/os_release.hpp"

#include <fcntl.h>
#include <grp.h>
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
#include "systemd/process.hpp"

namespace berth::os_release {

namespace {

constexpr std::size_t size_limit = 64UL * 1024;

bool name_valid(std::string_view name) {
    const auto fits = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
    return !name.empty() && std::ranges::all_of(name, fits) && (name.front() < '0' || name.front() > '9');
}

/// The length of the UTF-8 character (RFC 3629) that `text` begins with; 0 when it is none.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80)
        return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0U) != 0x80)
            return 0;
    const unsigned second = byte(1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second > 0x9f;
    const bool too_high = first == 0xf4 && second > 0x8f;
    return overlong || surrogate || too_high ? 0 : length;
}

bool value_valid(std::string_view value) {
    while (!value.empty()) {
        const std::size_t length = utf8_length(value);
        if (length == 0 || static_cast<unsigned char>(value.front()) < ' ' || value.front() == 0x7f)
            return false;
        value.remove_prefix(length);
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
    if (::setgroups(0, nullptr) < 0 || ::setresgid(*gid, *gid, *gid) < 0 || ::setresuid(*uid, *uid, *uid) < 0)
        fail_errno("becoming its root user");
    if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) // or else our own /proc is closed to us
        fail_errno("keeping /proc/self ours");
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
