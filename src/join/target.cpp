// SPDX-License-Identifier: LGPL-2.1-or-later
// What there is to know of a machine before it is joined, and whether it still holds.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/first_process.hpp"
#include "base/io.hpp"
#include "base/pidfd.hpp"
#include "base/same_file.hpp"
#include "join/join.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/namespaces.hpp"

namespace berth::join {

namespace {

constexpr std::uint64_t joinable = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID
                                   | CLONE_NEWTIME | CLONE_NEWUSER | CLONE_NEWUTS;

unique_fd open_of(pid_t pid, std::string_view name, int flags) {
    unique_fd fd(::open(berth::format("/proc/{}/{}", pid, name).c_str(), flags | O_CLOEXEC));
    if (!fd)
        fail_errno("opening the {} directory of the machine's leader, process {}", name, pid);
    return fd;
}

/// Of the namespaces of the given kinds, those in which process `a` is and `b` is not.
std::uint64_t differing(pid_t a, pid_t b, std::uint64_t kinds) {
    std::uint64_t found = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
        const std::uint64_t flag = kinds & (std::uint64_t{1} << bit);
        if (flag == 0)
            continue;
        const std::string name = namespaces::names(flag).front();
        struct stat one{};
        struct stat other{};
        if (::stat(berth::format("/proc/{}/ns/{}", a, name).c_str(), &one) < 0
            || ::stat(berth::format("/proc/{}/ns/{}", b, name).c_str(), &other) < 0) {
            if (errno == ENOENT && flag == CLONE_NEWTIME)
                continue; // a kernel without them
            fail_errno("looking at the {} namespaces of processes {} and {}", name, a, b);
        }
        if (!is_same_file(one, other))
            found |= flag;
    }
    return found;
}

bool has_no_new_privileges(pid_t pid) {
    return read_file(berth::format("/proc/{}/status", pid)).contains("\nNoNewPrivs:\t1");
}

/// `name` is uid_map or gid_map. Of our own namespace it tells what its IDs are in the one above
/// (user_namespaces(7)): to us they are themselves.
id_map::Map map_of(pid_t pid, std::string_view name, bool ours) {
    id_map::Map map = id_map::parse(read_file(berth::format("/proc/{}/{}", pid, name)));
    for (id_map::Range &range : map)
        if (ours)
            range.outside = range.inside;
    return map;
}

uid_t root_of(const id_map::Map &map, pid_t pid) {
    const auto root = id_map::outside_of(map, 0);
    if (!root)
        fail("process {} is in a user namespace without a root user", pid);
    return *root;
}

/// The group in which the machine's payload subgroup is, or nothing: its unit has none. Subgroups
/// further in are the machine's own; their names mean nothing.
std::string unit_above_payload(const std::string &path) {
    const auto at = path.find("/payload");
    if (at == std::string::npos)
        return {};
    const std::string_view rest = std::string_view(path).substr(at + std::string_view("/payload").size());
    const std::string unit = path.substr(0, at);
    const bool is_unit = unit.ends_with(".scope") || unit.ends_with(".service");
    return is_unit && (rest.empty() || rest.front() == '/') ? unit : std::string();
}

} // namespace

Target look_at(int leader, Look look) {
    Target target;
    target.leader = leader;
    target.pid = pidfd::pid_of(leader);
    if (target.pid == 0)
        fail_code(ESRCH, "looking at the machine's leader");
    first_process::await(leader, target.pid);
    target.root = open_of(target.pid, "root", O_PATH | O_DIRECTORY);
    target.working_directory = open_of(target.pid, "cwd", O_PATH | O_DIRECTORY);
    target.namespaces = differing(target.pid, ::getpid(), joinable);
    target.bounding = capabilities::bounding_of(target.pid);
    if (look == Look::to_run)
        target.filters = syscall_filters::of(target.pid);
    target.no_new_privileges = has_no_new_privileges(target.pid);
    const bool ours = (target.namespaces & CLONE_NEWUSER) == 0;
    target.users = map_of(target.pid, "uid_map", ours);
    target.groups = map_of(target.pid, "gid_map", ours);
    target.root_uid = root_of(target.users, target.pid);
    target.root_gid = root_of(target.groups, target.pid);
    target.cgroup = cgroup::path_of(target.pid);
    // A pid is not used again before its process has exited: all of it was this process.
    if (pidfd::has_exited(leader))
        fail_code(ESRCH, "looking at the machine's leader");
    if (std::string unit = unit_above_payload(target.cgroup); !unit.empty()) {
        target.cgroup = std::move(unit);
        target.cgroup_is_unit = true;
    }
    return target;
}

Target host() {
    Target target;
    target.root.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    target.working_directory.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!target.root || !target.working_directory)
        fail_errno("opening the root directory");
    target.bounding = capabilities::bounding_of(::getpid());
    target.users = map_of(::getpid(), "uid_map", true);
    target.groups = map_of(::getpid(), "gid_map", true);
    return target;
}

void require_unchanged(const Target &target, pid_t joined) {
    if (target.namespaces == 0)
        return;
    const std::uint64_t others = differing(joined, target.pid, joinable & target.compared);
    if (pidfd::has_exited(target.leader))
        fail_code(ESRCH, "joining the machine");
    if (others != 0)
        fail("the machine's first process has gone into another {} namespace meanwhile; try again",
             namespaces::names(others).front());
}

terminal::Pty open_pty(const Target &target) {
    // The slave belongs to whom we are for file systems; the host's root may have no name inside.
    const auto uid = static_cast<uid_t>(::setfsuid(target.root_uid));
    const auto gid = static_cast<gid_t>(::setfsgid(target.root_gid));
    const auto back = [&] {
        ::setfsuid(uid);
        ::setfsgid(gid);
    };
    try {
        terminal::Pty pty = terminal::open_pty(target.root.get());
        back();
        return pty;
    } catch (...) {
        back();
        throw;
    }
}

} // namespace berth::join
