// SPDX-License-Identifier: LGPL-2.1-or-later
// Running a command inside a machine that runs already (setns(2)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/id_map.hpp"
#include "base/unique_fd.hpp"
#include "console/terminal.hpp"
#include "kernel/capabilities.hpp"
#include "kernel/entering.hpp"
#include "kernel/syscall_filters.hpp"
#include "user/users.hpp"

namespace berth::join {

/// What there is to know of a machine before joining it, read through its leader. All of it
/// belongs to one and the same process: the leader still lived after the last piece was read.
struct Target {
    int leader = -1; ///< pidfd, the caller's
    pid_t pid = 0;
    unique_fd root;               ///< O_PATH
    unique_fd working_directory;  ///< O_PATH
    std::uint64_t namespaces = 0; ///< CLONE_NEW* flags of those to enter: all that differ from ours
    /// Those in which the leader must still be when the command is.
    std::uint64_t compared = ~std::uint64_t{0};
    capabilities::Set bounding = 0;
    syscall_filters::Filters filters;
    bool no_new_privileges = false;
    id_map::Map users; ///< and groups: what they are to us
    id_map::Map groups;
    uid_t root_uid = 0; ///< of the machine's root user, as we see it
    gid_t root_gid = 0;
    std::string cgroup;          ///< where a joining process belongs, or
    bool cgroup_is_unit = false; ///< the group in which to make a subgroup for it
};

/// What a machine is looked at for.
enum class Look : std::uint8_t {
    to_run,   ///< a command in it
    to_mount, ///< something into it: its system call filters, for which its leader must stop, are not read
};

/// Looks at the machine whose leader is behind the pidfd `leader`, which must outlive the Target.
/// Throws ESRCH when it is gone.
[[nodiscard]] Target look_at(int leader, Look look);

/// The host itself in place of a machine: nothing is joined.
[[nodiscard]] Target host();

/// Throws Error unless process `joined` is in all the namespaces that the machine's leader is in now.
void require_unchanged(const Target &target, pid_t joined);

/// A pty of the machine's own devpts.
[[nodiscard]] terminal::Pty open_pty(const Target &target);

struct Command {
    std::vector<std::string> words;          ///< words[0] is looked up in the PATH inside
    std::string name;                        ///< argv[0] where it differs from words[0]
    users::User user;                        ///< of the machine
    std::vector<std::string> environment;    ///< NAME=VALUE; all of it
    std::string working_directory;           ///< empty: the leader's
    bool working_directory_optional = false; ///< "/" when it cannot be entered
};

class Process;

/// Starts `command` in a session of its own. Throws entering::StartError when its exec failed, Error when the
/// machine could not be joined.
[[nodiscard]] Process start(const Target &target, const Command &command, const entering::Stdio &stdio);

/// A command inside a machine. It is killed when the process that started it dies.
class Process {
public:
    Process(unique_fd pidfd, std::string subgroup)
        : pidfd_(std::move(pidfd)), subgroup_(std::move(subgroup)) {}
    Process(Process &&) noexcept = default;
    Process &operator=(Process &&) = delete;
    Process(const Process &) = delete;
    Process &operator=(const Process &) = delete;
    ~Process();

    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }

    /// Kills it, and all that came from it as far as it is in a control group of its own.
    void kill() const noexcept;

    /// Waits for its end. As shells have it: the exit code, or 128 and the signal's number.
    [[nodiscard]] int wait();

private:
    friend Process start(const Target &target, const Command &command, const entering::Stdio &stdio);

    unique_fd pidfd_;
    std::string subgroup_; ///< ours alone, to be removed
};

} // namespace berth::join
