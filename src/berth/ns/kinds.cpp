// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ns/kinds.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/sched.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace berth::ns {

namespace {

constexpr std::array table{
    Kind{"cgroup", CLONE_NEWCGROUP}, Kind{"ipc", CLONE_NEWIPC}, Kind{"mnt", CLONE_NEWNS},
    Kind{"net", CLONE_NEWNET},       Kind{"pid", CLONE_NEWPID}, Kind{"time", CLONE_NEWTIME},
    Kind{"user", CLONE_NEWUSER},     Kind{"uts", CLONE_NEWUTS},
};

std::string path_of(pid_t pid, const Kind &kind) {
    return berth::format("/proc/{}/ns/{}", pid, kind.name);
}

/// Whether `errno` says that the kernel lacks the kind, rather than that the process has gone.
bool kind_is_missing(const Kind &kind) {
    return errno == ENOENT && ::access(berth::format("/proc/self/ns/{}", kind.name).c_str(), F_OK) < 0;
}

/// A namespace that is related to another; the kernel says EPERM for one that is above ours.
unique_fd related(int fd, unsigned long request) {
    unique_fd other(::ioctl(fd, request));
    if (!other && errno != EPERM)
        fail_errno("asking for the namespace above another");
    return other;
}

} // namespace

std::span<const Kind> kinds() {
    return table;
}

const Kind *find_kind(std::string_view name) {
    const auto found = std::ranges::find(kinds(), name, &Kind::name);
    return found == kinds().end() ? nullptr : &*found;
}

std::vector<const Kind *> parse_kinds(std::string_view text) {
    std::vector<const Kind *> wanted;
    if (text.empty())
        return wanted;
    for (const std::string &word : split(text, ',')) {
        const Kind *kind = find_kind(trim(word));
        if (kind == nullptr)
            fail("\"{}\" is not a kind of namespace: cgroup, ipc, mnt, net, pid, time, user and uts are",
                 word);
        if (!std::ranges::contains(wanted, kind))
            wanted.push_back(kind);
    }
    std::ranges::sort(wanted); // as they stand in the table
    return wanted;
}

Id id_of(int fd) {
    struct stat st{};
    if (::fstat(fd, &st) < 0)
        fail_errno("looking at a namespace");
    return {.device = st.st_dev, .inode = st.st_ino};
}

std::optional<Id> id_of(pid_t pid, const Kind &kind) {
    const std::string path = path_of(pid, kind);
    struct stat st{};
    if (::stat(path.c_str(), &st) == 0)
        return Id{.device = st.st_dev, .inode = st.st_ino};
    const int code = errno;
    if (kind_is_missing(kind))
        return std::nullopt;
    fail_code(code, "looking at {}", path);
}

unique_fd open(pid_t pid, const Kind &kind) {
    const std::string path = path_of(pid, kind);
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const int code = errno;
    if (!fd && !kind_is_missing(kind))
        fail_code(code, "opening {}", path);
    return fd;
}

const Kind *kind_of(int fd) {
    const int flag = ::ioctl(fd, NS_GET_NSTYPE);
    const auto found = std::ranges::find(kinds(), flag, &Kind::flag);
    return flag <= 0 || found == kinds().end() ? nullptr : &*found;
}

unique_fd owner_of(int fd) {
    return related(fd, NS_GET_USERNS);
}

unique_fd parent_of(int fd) {
    return related(fd, NS_GET_PARENT);
}

uid_t creator_of(int user_namespace) {
    uid_t uid = 0;
    if (::ioctl(user_namespace, NS_GET_OWNER_UID, &uid) < 0)
        fail_errno("asking who made a user namespace");
    return uid;
}

} // namespace berth::ns
