// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/launcher.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/inner.hpp"
#include "runtime/namespaces.hpp"
#include "runtime/protocol.hpp"
#include "runtime/registration.hpp"
#include "runtime/supervisor.hpp"

namespace berth {

using namespace std::chrono_literals;

namespace {

constexpr auto mount_deadline = 90s;
constexpr auto exec_deadline = 30s;

/// The payload's group in the unit we run in, kept for as long as we live.
class KeptUnit {
public:
    explicit KeptUnit(bool booting) : own_(cgroup::path_of(0)), unit_(cgroup::unit_part(own_)) {
        if (!booting)
            return;
        // An init wants controllers, which a group with processes in it cannot pass on.
        if (own_ == unit_) {
            const unique_fd supervisor = cgroup::make_subgroup(unit_, "supervisor");
            cgroup::move(supervisor.get(), 0);
            moved_ = true;
        }
        cgroup::delegate_controllers(unit_);
    }
    KeptUnit(const KeptUnit &) = delete;
    KeptUnit &operator=(const KeptUnit &) = delete;
    ~KeptUnit() {
        cgroup::remove(unit_ + "/payload");
        if (!moved_)
            return;
        try {
            const unique_fd unit = cgroup::make_subgroup(unit_, ".");
            cgroup::move(unit.get(), 0);
            cgroup::remove(unit_ + "/supervisor");
        } catch (const Error &) { // NOLINT(bugprone-empty-catch): the unit's end removes it
        }
    }

    /// A fresh group: what the last boot left in it would keep a new init out.
    [[nodiscard]] int renew_payload() {
        cgroup::remove(unit_ + "/payload");
        payload_ = cgroup::make_subgroup(unit_, "payload");
        return payload_.get();
    }

private:
    std::string own_;
    std::string unit_;
    unique_fd payload_;
    bool moved_ = false;
};

/// Kills and reaps a child whose launch failed, so that its mounts are gone when we report.
class Reaper {
public:
    explicit Reaper(int pidfd) : pidfd_(pidfd) {}
    Reaper(const Reaper &) = delete;
    Reaper &operator=(const Reaper &) = delete;
    ~Reaper() {
        if (pidfd_ < 0)
            return;
        try {
            pidfd::send_signal(pidfd_, SIGKILL);
        } catch (const Error &) { // NOLINT(bugprone-empty-catch): a child of ours can be killed
        }
        siginfo_t info{};
        while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WEXITED) < 0 && errno == EINTR) {
        }
    }
    void release() { pidfd_ = -1; }

private:
    int pidfd_;
};

} // namespace

Launcher::Launcher(LaunchPlan plan) : plan_(std::move(plan)) {
    if (plan_.root.upper == Upper::Kind::ephemeral) {
        // The upper's tmpfs lives in a mount namespace of ours: it outlasts reboots of the
        // machine and is gone with us, whatever ends us.
        if (::unshare(CLONE_NEWNS) < 0)
            fail_errno("creating a mount namespace");
        if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0)
            fail_errno("cutting our mounts off from the host's");
    }
    root::prepare_staging();
    root::prepare_upper(plan_.root);
    locks_ = root::lock_trees(plan_.root);
}

supervisor::Machine Launcher::start(int payload) {
    auto [ours, theirs] = protocol::make_pair();
    namespaces::Child child = namespaces::fork_into(plan_.namespaces, payload);
    if (child.pid == 0) {
        ours.reset();
        inner::run(plan_, std::move(theirs));
    }
    theirs.reset();
    Reaper reaper(child.pidfd.get());
    try {
        registration::enter(plan_, child.pidfd.get());
    } catch (const Error &) {
        // When the machine failed first, its own words tell more than "no such process".
        if (pidfd::has_exited(child.pidfd.get()))
            (void)protocol::expect(ours.get(), protocol::Kind::mounted, 0ms, "making the machine");
        throw;
    }
    protocol::Message mounted =
        protocol::expect(ours.get(), protocol::Kind::mounted, mount_deadline, "mounting the machine's tree");
    const bool piped = plan_.console == ConsoleMode::pipe;
    if (mounted.fds.size() != (piped ? 1U : 2U))
        fail("the machine sent {} descriptors", mounted.fds.size());
    if (payload < 0)
        enter_scope(child.pid);
    protocol::send(ours.get(), protocol::Kind::go);
    (void)protocol::expect(ours.get(), protocol::Kind::end, exec_deadline, "starting the machine");
    reaper.release();
    return {.leader = child.pid,
            .pidfd = std::move(child.pidfd),
            .console = piped ? unique_fd() : std::move(mounted.fds[1]),
            .notify = std::move(mounted.fds[0])};
}

/// From the scope that systemd put the leader in to a subgroup of it, which is the machine's.
void Launcher::enter_scope(pid_t leader) const {
    const std::string scope = cgroup::path_of(leader);
    const unique_fd payload = cgroup::make_subgroup(scope, "payload");
    cgroup::move(payload.get(), leader);
    if (plan_.mode == ExecMode::boot)
        cgroup::delegate_controllers(scope);
}

void Launcher::say(const std::string &text) const {
    if (!plan_.quiet)
        std::fprintf(stderr, "%s\n", text.c_str());
}

int Launcher::run() {
    supervisor::block_signals();
    std::unique_ptr<KeptUnit> unit;
    if (plan_.unit.keep_unit)
        unit = std::make_unique<KeptUnit>(plan_.mode == ExecMode::boot);
    say(std::format("Starting machine {} on {}.", plan_.name,
                    plan_.root.is_overlay() ? std::format("an overlay of {}", plan_.root.layers.back())
                                            : plan_.root.layers.front()));
    if (plan_.console == ConsoleMode::interactive)
        say("Press ^] three times within 1s to kill it.");
    for (bool first = true;; first = false) {
        supervisor::Machine machine = start(unit ? unit->renew_payload() : -1);
        const supervisor::End end = supervisor::watch(plan_, machine, first);
        using How = supervisor::End::How;
        switch (end.how) {
        case How::rebooted:
            say(std::format("Machine {} is being rebooted.", plan_.name));
            plan_.boot_id = random_id();
            continue;
        case How::exited:
            if (end.status != 0)
                say(std::format("Machine {} ended with exit status {}.", plan_.name, end.status));
            return end.status;
        case How::halted: say(std::format("Machine {} has been shut down.", plan_.name)); return 0;
        case How::killed:
        case How::asked:
            say(std::format("Machine {} was ended by signal {}.", plan_.name, ::sigabbrev_np(end.status)));
            return 128 + end.status;
        }
    }
}

} // namespace berth
