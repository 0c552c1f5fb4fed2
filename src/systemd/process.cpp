// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/process.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/pidfd.hpp"
#include "base/same_file.hpp"

namespace berth::process {

namespace {

void require_alive(int pidfd, std::string_view doing) {
    // As long as it has not exited, the number was its own all the time.
    if (pidfd::has_exited(pidfd))
        fail_code(ESRCH, "{}", doing);
}

} // namespace

Place parse_cgroup(std::string_view text) {
    constexpr std::string_view unified = "0::/";
    const auto line = text.starts_with(unified) ? 0 : text.find("\n0::/");
    if (line == std::string_view::npos)
        return {};
    const auto begin = text.find('/', line);
    const std::string_view path = text.substr(begin, text.find('\n', begin) - begin);
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at + 1), path.size());
        std::string_view part = path.substr(at + 1, end - at - 1);
        at = end;
        if (part.ends_with(".slice"))
            continue;
        // A name that could be taken for one of the kernel's files has "_" before it.
        if (part.starts_with('_'))
            part.remove_prefix(1);
        if (!part.ends_with(".scope") && !part.ends_with(".service"))
            break;
        return {.unit = std::string(part), .cgroup = std::string(path.substr(0, end))};
    }
    return {};
}

Place place_of(int pidfd, pid_t pid) {
    const std::string file = berth::format("/proc/{}/cgroup", pid);
    const auto text = read_file_if_there(file);
    require_alive(pidfd, "reading " + file);
    return parse_cgroup(text.value_or(""));
}

unique_fd open_in_unit(pid_t pid, const std::string &unit) {
    try {
        unique_fd fd = pidfd::open(pid);
        if (!unit.empty() && place_of(fd.get(), pid).unit == unit)
            return fd;
    } catch (const Error &error) {
        if (error.code() != ESRCH && error.code() != EINVAL)
            throw;
    }
    return {};
}

unique_fd open_leader(const Leader &leader) {
    if (leader.id == 0)
        return open_in_unit(leader.pid, leader.unit);
    try {
        unique_fd fd = pidfd::open(leader.pid);
        if (pidfd::id_of(fd.get()) == leader.id && !pidfd::has_exited(fd.get()))
            return fd;
    } catch (const Error &error) {
        if (error.code() != ESRCH && error.code() != EINVAL)
            throw;
    }
    return {};
}

std::string slice_path(std::string_view slice) {
    slice.remove_suffix(slice.ends_with(".slice") ? 6 : 0);
    if (slice == "-")
        return "";
    std::string path;
    for (auto dash = slice.find('-'); dash != std::string_view::npos; dash = slice.find('-', dash + 1))
        path += berth::format("/{}.slice", slice.substr(0, dash));
    return path + berth::format("/{}.slice", slice);
}

Cgroup cgroup_at(std::string path) {
    struct stat st{};
    if (::stat(("/sys/fs/cgroup" + path).c_str(), &st) < 0)
        return {.path = std::move(path)};
    return {.path = std::move(path), .id = st.st_ino};
}

bool is_there(const Cgroup &cgroup) {
    return cgroup.id != 0 && cgroup_at(cgroup.path).id == cgroup.id;
}

unique_fd open_proc(int pidfd, const std::string &name, int flags) {
    const std::string path = berth::format("/proc/{}/{}", pidfd::pid_of(pidfd), name);
    unique_fd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY));
    if (!fd)
        fail_errno("opening {}", path);
    require_alive(pidfd, "opening " + path);
    return fd;
}

bool shares_user_namespace(int pidfd) {
    const unique_fd fd = open_proc(pidfd, "ns/user", O_RDONLY);
    struct stat theirs{};
    struct stat ours{};
    if (::fstat(fd.get(), &theirs) < 0 || ::stat("/proc/self/ns/user", &ours) < 0)
        fail_errno("looking at user namespaces");
    return is_same_file(theirs, ours);
}

} // namespace berth::process
