// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/launcher.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "base/rooted.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/image.hpp"
#include "runtime/inner.hpp"
#include "runtime/mounts.hpp"
#include "runtime/namespaces.hpp"
#include "runtime/ownership.hpp"
#include "runtime/process.hpp"
#include "runtime/protocol.hpp"
#include "runtime/registration.hpp"
#include "runtime/seccomp.hpp"
#include "runtime/steps.hpp"
#include "runtime/supervisor.hpp"
#include "runtime/tree.hpp"
#include "runtime/tree_template.hpp"
#include "runtime/user_namespace.hpp"

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

/// Attaches a detached mount to a directory of ours, made for it.
void attach_at(int mount, const std::string &path) {
    if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", path);
    const unique_fd target(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!target)
        fail_errno("opening the directory {}", path);
    mounts::attach(mount, target.get(), path);
}

/// True when a mount's source is left to us.
bool needs_scratch(const std::vector<MountPlan> &mounts) {
    return std::ranges::any_of(mounts, [](const MountPlan &mount) {
        return std::ranges::any_of(mount.sources, [](const auto &source) { return source.path.empty(); });
    });
}

/// The topmost layer, or the image.
const std::string &tree_name(const RootPlan &root) {
    return root.layers.empty() ? root.image : root.layers.back();
}

} // namespace

Launcher::Launcher(LaunchPlan plan) : plan_(std::move(plan)) {
    const bool own_mounts = plan_.root.upper == Upper::Kind::ephemeral || plan_.users.enabled
                            || !plan_.root.image.empty();
    if (own_mounts)
        leave_host_mounts();
    root::prepare_staging();
    if (!plan_.root.template_tree.empty())
        tree_template::instantiate(plan_.root.template_tree, plan_.root.layers.front());
    settle_users();
    steps::reached("users");
    attach_image();
    root::prepare_upper(plan_.root, ids_.map_trees());
    locks_ = root::lock_trees(plan_.root);
    if (needs_scratch(plan_.mounts))
        scratch_.begin();
    load_filter();
    steps::reached("locked");
}

void Launcher::load_filter() {
    const ProcessPlan &process = plan_.process;
    seccomp::Filter filter = seccomp::load({.capabilities = plan_.bounding,
                                            .rules = process.system_call_filter,
                                            .suppress_sync = process.suppress_sync});
    for (const std::string &warning : filter.warnings)
        std::fprintf(stderr, "berth run: warning: %s\n", warning.c_str());
    filter_ = std::move(filter.programs);
}

/// Mounts what is in the disk image where it outlasts reboots.
void Launcher::attach_image() {
    const RootPlan &root = plan_.root;
    if (root.image.empty())
        return;
    const bool read_only = root.read_only || root.usr_only || root.upper != Upper::Kind::none;
    const unique_fd tmpfs = mounts::new_filesystem("tmpfs", {{"mode", "0700"}}, 0);
    for (const image::Mount &part : image::attach(root.image, read_only)) {
        struct stat st{};
        if (::fstat(part.mount.get(), &st) < 0)
            fail_errno("looking at the {} of {}", part.designator, root.image);
        ids_.map_tree(part.mount.get(), st, false);
        if (image_.empty())
            attach_at(tmpfs.get(), root::image_place);
        image_.push_back({.path = part.path, .place = std::format("{}/{}", root::image_place, image_.size())});
        attach_at(part.mount.get(), image_.back().place);
    }
    if (plan_.machine_id_of_tree) {
        const unique_fd tree(::open(image_.front().place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        take_machine_id(plan_, rooted::read_file(tree.get(), "/etc/machine-id").value_or(""));
    }
}

void Launcher::leave_host_mounts() {
    // What we mount here is gone with us, whatever ends us.
    if (::unshare(CLONE_NEWNS) < 0)
        fail_errno("creating a mount namespace");
    if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0)
        fail_errno("cutting our mounts off from the host's");
}

void Launcher::settle_users() {
    using Ownership = UsersConfig::Ownership;
    UsersPlan &users = plan_.users;
    if (!users.enabled)
        return;
    const std::string &tree = tree_name(plan_.root);
    struct stat st{};
    if (::stat(tree.c_str(), &st) < 0)
        fail_errno("looking at {}", tree);
    if (users.pick) {
        range_ = std::make_unique<IdRange>(range_base(st.st_uid), plan_.name);
        users.base = range_->base();
    }
    bool map = users.ownership == Ownership::map || users.ownership == Ownership::automatic;
    const bool plain = plan_.root.kind == RootPlan::Kind::directory && plan_.root.image.empty();
    const bool theirs = range_base(st.st_uid) == users.base;
    if (plain && users.ownership == Ownership::automatic && !theirs && !ownership::can_map(tree)) {
        map = false;
        users.ownership = Ownership::chown;
    }
    if (users.ownership == Ownership::chown) {
        const bool told = !plan_.quiet && ::isatty(STDERR_FILENO) == 1;
        say(std::format("Giving the files in {} to users {} and up.", tree, users.base));
        ownership::move_to(tree, users.base, [told](std::uint64_t count) {
            if (told)
                std::fprintf(stderr, "\r%llu files", static_cast<unsigned long long>(count));
        });
        if (told)
            std::fputs("\r", stderr);
    }
    ids_ = IdMaps(users.base, users.count, map);
}

namespace {

/// The namespaces of others that the machine is to be born into.
std::vector<namespaces::Target> joined(const JoinPlan &join) {
    return {{.path = join.network, .flag = CLONE_NEWNET},
            {.path = join.ipc, .flag = CLONE_NEWIPC},
            {.path = join.uts, .flag = CLONE_NEWUTS},
            {.path = join.pid, .flag = CLONE_NEWPID}};
}

} // namespace

Launcher::Running Launcher::start(int payload) {
    auto [ours, theirs] = protocol::make_pair();
    const tree::Parts parts{.ids = ids_, .image = image_, .scratch = scratch_};
    std::optional<tree::Assembled> assembled;
    if (plan_.users.enabled) {
        assembled = tree::assemble(plan_, parts);
        if (payload >= 0)
            cgroup::give(payload, ids_.base());
    }
    steps::reached("assembled");
    namespaces::Child child;
    {
        const namespaces::Entered entered(joined(plan_.join));
        std::optional<namespaces::FreshTime> time;
        if ((plan_.namespaces & CLONE_NEWTIME) != 0)
            time.emplace();
        child = namespaces::fork_into(plan_.namespaces & ~std::uint64_t{CLONE_NEWTIME}, payload);
        if (child.pid == 0) {
            ours.reset();
            inner::run({.plan = plan_, .parts = parts, .filter = filter_, .assembled = std::move(assembled)},
                       std::move(theirs));
        }
    }
    theirs.reset();
    Reaper reaper(child.pidfd.get());
    steps::reached("born");
    if (assembled) {
        tree::release();
        user_namespace::write_maps(child.pid, ids_.of_machine());
        protocol::send(ours.get(), protocol::Kind::mapped);
    }
    steps::reached("mapped");
    process::limit(plan_.process, child.pid);
    Running running;
    if (plan_.private_network())
        running.network = std::make_unique<MachineNetwork>(plan_.network, plan_.name, child.pid);
    steps::reached("linked");
    try {
        registration::enter(plan_, child.pidfd.get(),
                            running.network ? running.network->interfaces() : std::vector<int>());
    } catch (const Error &) {
        // When the machine failed first, its own words tell more than "no such process".
        if (pidfd::has_exited(child.pidfd.get()))
            (void)protocol::expect(ours.get(), protocol::Kind::mounted, 0ms, "making the machine");
        throw;
    }
    steps::reached("registered");
    protocol::Message mounted =
        protocol::expect(ours.get(), protocol::Kind::mounted, mount_deadline, "mounting the machine's tree");
    steps::reached("mounted");
    if (!assembled) {
        const bool piped = plan_.console == ConsoleMode::pipe;
        if (mounted.fds.size() != (piped ? 1U : 2U))
            fail("the machine sent {} descriptors", mounted.fds.size());
        assembled.emplace();
        assembled->notify = std::move(mounted.fds[0]);
        if (!piped)
            assembled->console = std::move(mounted.fds[1]);
    }
    if (payload < 0)
        enter_scope(child.pid);
    if (running.network)
        running.network->expose();
    steps::reached("placed");
    protocol::send(ours.get(), protocol::Kind::go);
    steps::reached("sent");
    (void)protocol::expect(ours.get(), protocol::Kind::end, exec_deadline, "starting the machine");
    reaper.release();
    steps::reached("running");
    running.machine = {.leader = child.pid,
                       .pidfd = std::move(child.pidfd),
                       .console = std::move(assembled->console),
                       .notify = std::move(assembled->notify)};
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
        std::fprintf(stderr, "%s\n", text.c_str());
}

int Launcher::run() {
    supervisor::block_signals();
    std::unique_ptr<KeptUnit> unit;
    if (plan_.unit.keep_unit)
        unit = std::make_unique<KeptUnit>(plan_.mode == ExecMode::boot);
    say(std::format("Starting machine {} on {}.", plan_.name,
                    plan_.root.is_overlay() ? std::format("an overlay of {}", tree_name(plan_.root))
                                            : tree_name(plan_.root)));
    if (plan_.console == ConsoleMode::interactive)
        say("Press ^] three times within 1s to kill it.");
    for (bool first = true;; first = false) {
        Running running = start(unit ? unit->renew_payload() : -1);
        const supervisor::End end = supervisor::watch(plan_, running.machine, first);
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
