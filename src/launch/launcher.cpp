// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/launcher.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "base/printable.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"
#include "kernel/user_namespace.hpp"
#include "launch/brake.hpp"
#include "launch/inner.hpp"
#include "launch/kept_unit.hpp"
#include "launch/process.hpp"
#include "launch/registration.hpp"
#include "launch/supervisor.hpp"
#include "root/bound_users.hpp"
#include "root/tree.hpp"

namespace berth {

using namespace std::chrono_literals;

namespace {

constexpr auto mount_deadline = 90s;
constexpr auto exec_deadline = 30s;

/// Kills and reaps a child whose launch failed, so that its mounts are gone when we report.
class Reaper {
public:
    explicit Reaper(int pidfd) : pidfd_(pidfd) {}
    Reaper(const Reaper &) = delete;
    Reaper &operator=(const Reaper &) = delete;
    ~Reaper() {
        if (pidfd_ >= 0)
            pidfd::end(pidfd_);
    }
    void release() { pidfd_ = -1; }

private:
    int pidfd_;
};

} // namespace

/// The machine's first process, in its namespaces. It is told all by what it inherits.
namespaces::Child Launcher::fork_inner(int payload, inner::Orders orders, unique_fd &ours,
                                       unique_fd &theirs) {
    const namespaces::Entered entered(joined_);
    std::optional<namespaces::FreshTime> time;
    if ((plan_.namespaces & CLONE_NEWTIME) != 0)
        time.emplace();
    // With users of its own it has a mount namespace later, when it knows them.
    const std::uint64_t later = CLONE_NEWTIME | (plan_.users.enabled ? std::uint64_t{CLONE_NEWNS} : 0U);
    namespaces::Child child = namespaces::fork_into(plan_.namespaces & ~later, payload);
    if (child.pid == 0) {
        ours.reset();
        inner::run(std::move(orders), std::move(theirs));
    }
    theirs.reset();
    return child;
}

void Launcher::register_machine(int leader, const Running &running, int socket) const {
    try {
        registration::enter(plan_, leader,
                            running.network ? running.network->interfaces() : std::vector<int>());
    } catch (const Error &) {
        // When the machine failed first, its own words tell more than "no such process".
        if (pidfd::has_exited(leader))
            (void)protocol::expect(socket, protocol::Kind::mounted, 0ms, "making the machine");
        throw;
    }
}

/// What the machine that assembled its tree itself has sent.
tree::Assembled Launcher::descriptors_of(protocol::Message &mounted) const {
    const bool piped = plan_.console == ConsoleMode::pipe;
    if (mounted.fds.size() != (piped ? 1U : 2U))
        fail("the machine sent {} descriptors", mounted.fds.size());
    tree::Assembled sent;
    sent.notify = std::move(mounted.fds[0]);
    if (!piped)
        sent.console = std::move(mounted.fds[1]);
    return sent;
}

/// Tells the machine's first process whose it is, once what it shall not be able to change is mounted.
void Launcher::map_users(const namespaces::Child &child, tree::Assembled &assembled, int socket) const {
    user_namespace::write_maps(child.pid, ids_.of_machine(assembled.guests));
    const std::uint64_t others = tree::shown_of_others(plan_);
    if (tree::locks_namespaces(plan_, ids_.base())) {
        const std::uint64_t all = others | tree::shown_of_its_own(plan_);
        tree::show_namespaces(plan_, assembled,
                              api_mounts::make_for(plan_.api, all, others, child.pidfd.get()),
                              ids_.base() == 0);
    } else {
        const namespaces::Entered entered(joined_, CLONE_NEWNET | CLONE_NEWIPC);
        tree::show_others(assembled, api_mounts::make(plan_.api, others, others));
    }
    // Where we are in a machine ourselves, what covers parts of our /proc is locked for the machine that we
    // make: the kernel would give it none of its own. What we make is not, and no less the machine's.
    std::vector<int> fds;
    api_mounts::Mounts made;
    if (nested_ && !tree::locks_namespaces(plan_, ids_.base())) {
        made = api_mounts::make_for(plan_.api, tree::shown_of_its_own(plan_), 0, child.pidfd.get());
        for (const api_mounts::Mount &mount : made)
            fds.push_back(mount.fd.get());
    }
    protocol::send(socket, protocol::Kind::mapped, 0, {}, fds);
}

Launcher::Running Launcher::start(int payload) {
    auto [ours, theirs] = protocol::make_pair();
    const std::vector<user::HostUser> users = bound_users::look_up(plan_.users);
    const tree::Parts parts{.ids = ids_,
                            .opened = {.layers = layers_, .upper = upper_},
                            .image = image_.parts,
                            .scratch = scratch_,
                            .exported = exported_,
                            .users = users};
    std::optional<tree::Assembled> assembled;
    if (plan_.users.enabled)
        assembled = tree::assemble(plan_, parts);
    if (assembled && payload >= 0)
        cgroup::give(payload, ids_.base());
    Running running;
    if (plan_.console == ConsoleMode::pipe)
        running.machine.relay = terminal::Relay::make([] { return terminal::open_pty(); });
    terminal::Relay *const relay = running.machine.relay.get();
    if (relay != nullptr && ::fchown(relay->slave(), ids_.base(), static_cast<gid_t>(-1)) < 0)
        fail_errno("giving a terminal to the machine");
    timing_.reached("assembled");
    inner::Orders orders{.plan = plan_,
                         .parts = parts,
                         .filter = filter_,
                         .assembled = assembled ? &*assembled : nullptr,
                         .stdio = {}};
    if (relay != nullptr)
        orders.stdio = {.terminal = relay->slave(), .replaced = relay->ends()};
    namespaces::Child child = fork_inner(payload, std::move(orders), ours, theirs);
    Reaper reaper(child.pidfd.get());
    timing_.reached("born");
    if (assembled)
        map_users(child, *assembled, ours.get());
    timing_.reached("mapped");
    process::limit(plan_.process, child.pid);
    if (plan_.private_network())
        running.network = std::make_unique<MachineNetwork>(plan_.network, plan_.name, child.pid);
    timing_.reached("linked");
    register_machine(child.pidfd.get(), running, ours.get());
    timing_.reached("registered");
    protocol::Message mounted =
        protocol::expect(ours.get(), protocol::Kind::mounted, mount_deadline, "mounting the machine's tree");
    timing_.reached("mounted");
    if (assembled)
        tree::release();
    else
        assembled = descriptors_of(mounted);
    if (payload < 0)
        enter_scope(child.pid);
    if (running.network)
        running.network->expose();
    timing_.reached("placed");
    protocol::send(ours.get(), protocol::Kind::go);
    timing_.reached("sent");
    (void)protocol::expect(ours.get(), protocol::Kind::end, exec_deadline, "starting the machine");
    reaper.release();
    timing_.reached("running");
    running.machine.init_notifies = mounted.text == protocol::init_notifies;
    running.machine.leader = child.pid;
    running.machine.pidfd = std::move(child.pidfd);
    running.machine.console = std::move(assembled->console);
    running.machine.notify = std::move(assembled->notify);
    return running;
}

/// From the scope that systemd put the leader in to a subgroup of it, which is the machine's.
void Launcher::enter_scope(pid_t leader) const {
    const std::string scope = cgroup::path_of(leader);
    const unique_fd payload = cgroup::make_subgroup(scope, "payload");
    if (ids_.base() != 0)
        cgroup::give(payload.get(), ids_.base());
    cgroup::move(payload.get(), leader);
    if (plan_.mode == ExecMode::boot)
        cgroup::delegate_controllers(scope);
}

void Launcher::say(const std::string &text) const {
    if (!plan_.quiet)
        std::fprintf(stderr, "%s\n", printable(text).c_str());
}

int Launcher::run() {
    supervisor::block_signals();
    std::unique_ptr<KeptUnit> unit;
    if (plan_.unit.keep_unit)
        unit = std::make_unique<KeptUnit>(plan_.mode == ExecMode::boot);
    say(berth::format("Starting machine {} on {}.", plan_.name,
                      plan_.root.is_overlay() ? berth::format("an overlay of {}", plan_.root.tree())
                                              : plan_.root.tree()));
    if (plan_.console == ConsoleMode::interactive)
        say("Press ^] three times within 1s to kill it.");
    Brake brake;
    for (bool first = true;; first = false) {
        brake.boots(Brake::Clock::now());
        Running running = start(unit ? unit->renew_payload() : -1);
        if (first)
            std::fputs(timing_.to_text().c_str(), stderr);
        const supervisor::End end = supervisor::watch(plan_, running.machine, first);
        using How = supervisor::End::How;
        switch (end.how) {
        case How::rebooted:
            say(berth::format("Machine {} is being rebooted.", plan_.name));
            renew_boot_id(plan_);
            if (const auto signal = supervisor::pause(brake.reboots(Brake::Clock::now())))
                return 128 + *signal;
            continue;
        case How::exited:
            if (end.status != 0)
                say(berth::format("Machine {} ended with exit status {}.", plan_.name, end.status));
            return end.status;
        case How::output_failed: return end.status;
        case How::halted: say(berth::format("Machine {} has been shut down.", plan_.name)); return 0;
        case How::killed:
        case How::asked:
            say(berth::format("Machine {} was ended by signal {}.", plan_.name, ::sigabbrev_np(end.status)));
            return 128 + end.status;
        }
    }
}

} // namespace berth
