// SPDX-License-Identifier: LGPL-2.1-or-later
// Namespaces (namespaces(7)) and the process that is born into them.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace berth::namespaces {

/// Names as in /proc/PID/ns of the namespaces that CLONE_NEW* `flags` make.
[[nodiscard]] std::vector<std::string> names(std::uint64_t flags);

/// A child of clone3(2).
struct Child {
    pid_t pid = -1; ///< 0 in the child itself
    unique_fd pidfd;
};

/// Forks into new namespaces, and into the cgroup behind `cgroup` when that is not negative
/// (CLONE_INTO_CGROUP). Returns twice, as fork(2) does.
[[nodiscard]] Child fork_into(std::uint64_t flags, int cgroup = -1);

/// Forks as process `pid` of the pid namespace that children are born into, which makes the next number there
/// none larger (set_tid of clone3(2)). Returns twice.
[[nodiscard]] Child fork_as(pid_t pid);

/// A namespace to enter.
struct Target {
    unique_fd fd;           ///< its file, as /proc/PID/ns/net
    std::string what;       ///< in words, for messages
    std::uint64_t flag = 0; ///< of its kind, CLONE_NEW*
};

/// Being in namespaces of others (setns(2)): children that are made meanwhile are born there.
class Entered {
public:
    /// Enters those of the given kinds (CLONE_NEW*).
    explicit Entered(const std::vector<Target> &targets, std::uint64_t kinds = ~std::uint64_t{0});
    Entered(const Entered &) = delete;
    Entered &operator=(const Entered &) = delete;
    /// Goes back to our own.
    ~Entered();

private:
    struct Own {
        unique_fd fd;
        int flag;
    };
    std::vector<Own> own_;
};

/// A time namespace for children that are made meanwhile, whose clocks since boot are at zero when
/// it is made (time_namespaces(7)).
class FreshTime {
public:
    FreshTime();
    FreshTime(const FreshTime &) = delete;
    FreshTime &operator=(const FreshTime &) = delete;
    ~FreshTime();

private:
    unique_fd own_;
};

} // namespace berth::namespaces
