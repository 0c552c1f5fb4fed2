// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ns/target.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "berth/leader.hpp"

namespace berth::ns {

namespace {

std::string names_of(const Kinds &kinds) {
    std::string text;
    for (const Kind *kind : kinds)
        text += berth::format("{}{}", text.empty() ? "" : ", ", kind->name);
    return text;
}

/// A file that shows one namespace, such as a bind mount of `ip netns`.
Target of_file(const std::string &path, const Kinds &wanted) {
    Target target{.what = path, .members = {}, .process = {}};
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        fail_errno("opening {}", path);
    const Kind *kind = kind_of(fd.get());
    if (kind == nullptr)
        fail("{} is not the file of a namespace, as those in /proc/PID/ns and mounts of them are", path);
    if (!wanted.empty() && !std::ranges::contains(wanted, kind))
        fail("{} is a {} namespace, which --kind={} does not name", path, kind->name, names_of(wanted));
    target.members.push_back({.kind = kind, .fd = std::move(fd)});
    return target;
}

void add_members(Target &target, const Kinds &wanted, const Kinds &usual) {
    for (const Kind *kind : wanted.empty() ? usual : wanted) {
        unique_fd fd = open(target.pid, *kind);
        if (!fd && !wanted.empty())
            fail("this kernel has no {} namespaces", kind->name);
        if (fd && (!wanted.empty() || id_of(fd.get()) != id_of(::getpid(), *kind)))
            target.members.push_back({.kind = kind, .fd = std::move(fd)});
    }
}

Target of_process(Target target, const Kinds &wanted, const Kinds &usual) {
    target.pid = pidfd::pid_of(target.process.get());
    try {
        if (target.pid != 0)
            add_members(target, wanted, usual);
    } catch (const Error &) {
        if (!pidfd::has_exited(target.process.get()))
            throw;
    }
    // A pid is not used again before its process has exited: all of them were this process's.
    if (target.pid == 0 || pidfd::has_exited(target.process.get()))
        fail_code(ESRCH, "opening the namespaces of {}", target.what);
    if (target.members.empty())
        fail("{} has none of these namespaces apart from ours: {}; --kind= says which are meant all the same",
             target.what, names_of(usual));
    return target;
}

} // namespace

bool is_number(std::string_view word) {
    return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

Target open_target(const std::string &word, const Kinds &wanted, const Kinds &usual) {
    if (word.contains('/'))
        return of_file(word, wanted);
    if (is_number(word)) {
        const auto pid = parse_unsigned(word);
        if (!pid || *pid == 0 || *pid > std::numeric_limits<pid_t>::max())
            fail("{} is not a process ID", word);
        return of_process(
            {.what = "process " + word, .members = {}, .process = pidfd::open(static_cast<pid_t>(*pid))},
            wanted, usual);
    }
    require_machine_name(word);
    return of_process({.what = "machine " + word, .members = {}, .process = cli::open_leader(word)}, wanted,
                      usual);
}

Kinds kinds_without(std::span<const std::string_view> without) {
    Kinds some;
    for (const Kind &kind : kinds())
        if (!std::ranges::contains(without, kind.name))
            some.push_back(&kind);
    return some;
}

} // namespace berth::ns
