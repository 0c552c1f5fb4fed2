// SPDX-License-Identifier: LGPL-2.1-or-later
#include "join/join.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "join/check.hpp"
#include "join/steps.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"

namespace berth::join {

namespace {

using namespace std::chrono_literals;

/// For each step on the way to the command's exec; a tree on a slow network may take its time.
constexpr auto step_deadline = 60s;

/// For what two processes say at the same time, once one of them has.
constexpr auto other_deadline = 10s;

/// The group that a process joining from here is to be put in, and the name of ours if we made one.
struct Group {
    unique_fd directory; ///< empty: stay where we are
    std::string subgroup;
};

/// Removes the groups of those before us whose commands had left processes behind, which have ended since.
void sweep_groups(const std::filesystem::path &unit) {
    constexpr std::string_view prefix = "exec-";
    std::error_code ignored;
    for (const auto &entry : std::filesystem::directory_iterator(unit, ignored)) {
        const std::string name = entry.path().filename();
        const auto pid = name.starts_with(prefix)
                             ? parse_unsigned(std::string_view(name).substr(prefix.size()))
                             : std::nullopt;
        // One that is there may be about to use its own.
        if (pid && !std::filesystem::exists(berth::format("/proc/{}", *pid), ignored))
            (void)::rmdir(entry.path().c_str()); // EBUSY: some are still there
    }
}

Group group_for(const Target &target) {
    if (target.cgroup.empty())
        return {};
    if (target.cgroup_is_unit) {
        sweep_groups(cgroup::mount_point() / target.cgroup.substr(1));
        const std::string name = berth::format("exec-{}", ::getpid());
        return {.directory = cgroup::make_subgroup(target.cgroup, name),
                .subgroup = target.cgroup + "/" + name};
    }
    const std::filesystem::path path = cgroup::mount_point() / target.cgroup.substr(1);
    Group group{.directory = unique_fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
                .subgroup = {}};
    if (!group.directory)
        fail_errno("opening the control group {}", path.native());
    return group;
}

int wait_for(int pidfd) {
    const siginfo_t info = pidfd::wait(pidfd);
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/// A child on its way into the machine: killed and reaped, unless it is let go.
class Underway {
public:
    explicit Underway(unique_fd pidfd) : pidfd_(std::move(pidfd)) {}
    Underway(const Underway &) = delete;
    Underway &operator=(const Underway &) = delete;
    ~Underway() { end(); }

    [[nodiscard]] bool known() const { return static_cast<bool>(pidfd_); }
    [[nodiscard]] pid_t pid() const { return pidfd::pid_of(pidfd_.get()); }
    void is(unique_fd pidfd) { pidfd_ = std::move(pidfd); }
    unique_fd let_go() { return std::move(pidfd_); }
    void end() noexcept {
        if (pidfd_)
            pidfd::end(pidfd_.get());
        pidfd_.reset();
    }

private:
    unique_fd pidfd_;
};

std::uint32_t to_us(const id_map::Map &map, std::uint32_t id) {
    const auto outside = id_map::outside_of(map, id);
    if (!outside)
        fail("the machine has no ID {}: it is not mapped in its user namespace", id);
    return *outside;
}

/// Whom the command's process must be, at each point where it is looked at.
join_check::Identity identity_of(const Target &target, const users::User &user) {
    join_check::Identity identity{.uid = to_us(target.users, user.uid),
                                  .gid = to_us(target.groups, user.gid),
                                  .groups = {},
                                  .bounding = target.bounding,
                                  .permitted = user.uid == 0 ? target.bounding : 0,
                                  .no_new_privileges = target.no_new_privileges,
                                  .filters = target.filters.size()};
    for (const gid_t group : user.groups)
        identity.groups.push_back(to_us(target.groups, group));
    return identity;
}

[[noreturn]] void fail_without_a_word() {
    fail("the process that was to join the machine ended without a word; has the machine been stopped?");
}

/// Until the intermediate process has told of the command's, and that is prepared: in either order.
void await_command(int socket, Underway &command) {
    bool prepared = false;
    while (!prepared || !command.known()) {
        protocol::Message message =
            protocol::receive(socket, prepared || command.known() ? other_deadline : step_deadline);
        if (message.kind == protocol::Kind::failed)
            throw Error(message.text, message.code);
        if (message.kind == protocol::Kind::born && !command.known() && !message.fds.empty())
            command.is(std::move(message.fds.front()));
        else if (message.kind == protocol::Kind::prepared)
            prepared = true;
        else
            fail_without_a_word();
    }
}

/// Takes both processes through their steps (join_steps.hpp). Returns the command's, which has executed it.
unique_fd conduct(const Target &target, const Command &command, const entering::Stdio &stdio,
                  namespaces::Child intermediate, int socket) {
    const join_check::Identity identity = identity_of(target, command.user);
    Underway first(std::move(intermediate.pidfd));
    Underway second{unique_fd()};
    const protocol::Message prepared = protocol::receive(socket, step_deadline);
    if (prepared.kind == protocol::Kind::failed)
        throw Error(prepared.text, prepared.code);
    if (prepared.kind != protocol::Kind::prepared)
        fail_without_a_word();
    join_check::require(intermediate.pid, identity);
    protocol::send(socket, protocol::Kind::go);

    await_command(socket, second);
    first.end();
    const pid_t pid = second.pid();
    join_check::require(pid, identity);
    join_check::require_session(pid, stdio.terminal);
    require_unchanged(target, pid);
    protocol::send(socket, protocol::Kind::go);

    const protocol::Message end = protocol::receive(socket, step_deadline);
    if (end.kind == protocol::Kind::failed)
        throw entering::StartError(end.text, end.code);
    if (end.kind != protocol::Kind::end)
        fail_without_a_word();
    return second.let_go();
}

/// Removes our subgroup, unless the command has left processes behind: then it goes with the unit.
/// The kernel takes a process that has been waited for out of its group a moment later.
void remove_group(const std::string &group) noexcept {
    try {
        const std::filesystem::path path = cgroup::mount_point() / group.substr(1);
        for (int tries = 0; tries < 100; ++tries) {
            if (::rmdir(path.c_str()) == 0 || errno != EBUSY || !read_file(path / "cgroup.procs").empty())
                return;
            std::this_thread::sleep_for(1ms);
        }
    } catch (const std::exception &) { // NOLINT(bugprone-empty-catch): the unit's end removes it
    }
}

} // namespace

Process::~Process() {
    if (!subgroup_.empty())
        remove_group(subgroup_);
}

void Process::kill() const noexcept {
    try {
        pidfd::send_signal(pidfd_.get(), SIGKILL);
        if (!subgroup_.empty())
            write_control(cgroup::mount_point() / subgroup_.substr(1) / "cgroup.kill", "1");
    } catch (const std::exception &) { // NOLINT(bugprone-empty-catch): it has gone, and the group with it
    }
}

int Process::wait() {
    return wait_for(pidfd_.get());
}

Process start(const Target &target, const Command &command, const entering::Stdio &stdio) {
    Group group = group_for(target);
    // From here on the subgroup is removed whatever happens.
    Process process({}, std::move(group.subgroup));
    auto [ours, theirs] = protocol::make_pair();
    namespaces::Child intermediate = namespaces::fork_into(0, group.directory.get());
    if (intermediate.pid == 0) {
        ours.reset();
        join_steps::run(target, command, stdio, theirs.get());
    }
    theirs.reset();
    process.pidfd_ = conduct(target, command, stdio, std::move(intermediate), ours.get());
    return process;
}

} // namespace berth::join
