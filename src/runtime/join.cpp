// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/join.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <format>
#include <optional>
#include <thread>

#include "base/error.hpp"
#include "base/first_process.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/namespaces.hpp"
#include "runtime/protocol.hpp"

namespace berth::join {

namespace {

using namespace std::chrono_literals;

/// For the steps on the way to the command's exec; a tree on a slow network may take its time.
constexpr auto start_deadline = 60s;

constexpr std::uint64_t joinable = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID
                                   | CLONE_NEWTIME | CLONE_NEWUSER | CLONE_NEWUTS;

unique_fd open_of(pid_t pid, std::string_view name, int flags) {
    unique_fd fd(::open(std::format("/proc/{}/{}", pid, name).c_str(), flags | O_CLOEXEC));
    if (!fd)
        fail_errno("opening the {} directory of the machine's leader, process {}", name, pid);
    return fd;
}

/// The namespaces in which process `pid` is and we are not.
std::uint64_t foreign_namespaces(pid_t pid) {
    std::uint64_t foreign = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
        const std::uint64_t flag = joinable & (std::uint64_t{1} << bit);
        if (flag == 0)
            continue;
        const std::string name = namespaces::names(flag).front();
        struct stat theirs{};
        struct stat ours{};
        if (::stat(std::format("/proc/{}/ns/{}", pid, name).c_str(), &theirs) < 0
            || ::stat(std::format("/proc/self/ns/{}", name).c_str(), &ours) < 0) {
            if (errno == ENOENT && flag == CLONE_NEWTIME)
                continue; // a kernel without them
            fail_errno("looking at the {} namespace of process {}", name, pid);
        }
        if (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev)
            foreign |= flag;
    }
    return foreign;
}

bool has_no_new_privileges(pid_t pid) {
    return read_file(std::format("/proc/{}/status", pid)).contains("\nNoNewPrivs:\t1");
}

/// What the first ID of the user namespace of `pid` is to us. `map` is uid_map or gid_map.
uid_t root_of(pid_t pid, std::string_view map) {
    const std::string text = read_file(std::format("/proc/{}/{}", pid, map));
    for (const std::string &line : split(text, '\n')) {
        std::vector<std::string> numbers = split(line, ' '); // "inside outside count", in columns
        std::erase(numbers, "");
        if (numbers.size() == 3 && numbers[0] == "0")
            return static_cast<uid_t>(parse_unsigned(numbers[1]).value_or(0));
    }
    fail("process {} is in a user namespace without a root user", pid);
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

/// The group that a process joining from here is to be put in, and the name of ours if we made one.
struct Group {
    unique_fd directory; ///< empty: stay where we are
    std::string subgroup;
};

Group group_for(const Target &target) {
    if (target.cgroup.empty())
        return {};
    if (target.cgroup_is_unit) {
        const std::string name = std::format("exec-{}", ::getpid());
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

void die_with_parent(int socket) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        fail_errno("asking to be killed with berth");
    // It may have died before. The parent's pid says nothing in another pid namespace; the socket does.
    pollfd entry{.fd = socket, .events = 0, .revents = 0};
    if (::poll(&entry, 1, 0) > 0 && (entry.revents & POLLHUP) != 0)
        ::_exit(1);
}

void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal)
        ::signal(signal, SIG_DFL); // those that cannot be set stay as they are
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void enter(const Target &target) {
    // Until its exec a joining process is ours, not one for the machine to look into.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (target.namespaces == 0)
        return;
    if (::setns(target.leader, static_cast<int>(target.namespaces)) < 0)
        fail_errno("joining the machine's namespaces");
    if (::fchdir(target.root.get()) < 0 || ::chroot(".") < 0)
        fail_errno("entering the machine's root");
}

void take_terminal(int terminal, const users::User &user) {
    if (::setsid() < 0)
        fail_errno("starting a session");
    if (terminal < 0)
        return;
    if (::fchown(terminal, user.uid, static_cast<gid_t>(-1)) < 0 && errno != EPERM && errno != EROFS)
        fail_errno("giving the terminal to user {}", user.name);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::dup2(terminal, fd) < 0)
            fail_errno("making the terminal our stdio");
    if (::ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
        fail_errno("making the terminal our controlling terminal");
}

void change_directory(const Target &target, const Command &command) {
    if (command.working_directory.empty()) {
        if (::fchdir(target.working_directory.get()) < 0 && ::chdir("/") < 0)
            fail_errno("entering the root directory of the machine");
        return;
    }
    if (::chdir(command.working_directory.c_str()) == 0)
        return;
    if (!command.working_directory_optional || ::chdir("/") < 0)
        fail_errno("entering {} in the machine", command.working_directory);
}

/// The last steps, as the command's process, in all namespaces.
void become(const Target &target, const Command &command, int terminal, int socket) {
    ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr); // the host's keys stay with the host
    take_terminal(terminal, command.user);
    if (::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0) // our caller's too
        fail_errno("closing inherited descriptors");
    syscall_filters::install(target.filters); // needs privileges; what comes next any init may do
    if (target.namespaces != 0)
        capabilities::bound(target.bounding);
    users::become(command.user); // which may need what the machine is not to have
    if (target.namespaces != 0)
        capabilities::reduce(target.bounding);
    change_directory(target, command);
    if (target.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail_errno("setting no_new_privs");
    ::umask(0022);
    reset_signals();
    die_with_parent(socket); // changing the user would take it back

    std::vector<std::string> environment = command.environment;
    ::clearenv();
    for (std::string &setting : environment)
        ::putenv(setting.data());
    std::vector<std::string> words = command.words;
    const std::string file = words.front();
    if (!command.name.empty())
        words.front() = command.name;
    std::vector<char *> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string &word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    protocol::send(socket, protocol::Kind::go);
    ::execvp(file.c_str(), pointers.data());
    fail_errno("starting {}", file);
}

/// Runs `steps` and tells the other end of `socket` when they throw.
template <class Steps> [[noreturn]] void run_child(int socket, Steps steps) noexcept {
    int code = 0;
    std::string text;
    try {
        steps();
        ::_exit(0);
    } catch (const Error &error) {
        code = error.code();
        text = error.what();
    } catch (const std::exception &error) {
        text = error.what();
    }
    try {
        protocol::send(socket, protocol::Kind::failed, code, text);
    } catch (const Error &) { // NOLINT(bugprone-empty-catch): nobody is left to tell
    }
    ::_exit(1);
}

/// A child of our parent, not of us. Returns twice, as fork(2) does.
namespaces::Child fork_for_parent() {
    int pidfd = -1;
    clone_args args{};
    args.flags = CLONE_PARENT | CLONE_PIDFD; // the signal at its end is the one at ours, SIGCHLD
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    const long pid = ::syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0)
        fail_errno("creating a process in the machine");
    return {.pid = static_cast<pid_t>(pid), .pidfd = unique_fd(pid == 0 ? -1 : pidfd)};
}

/// The intermediate process: a pid namespace that is joined holds for children only.
void join_and_fork(const Target &target, const Command &command, int terminal, int socket) {
    die_with_parent(socket);
    enter(target);
    const namespaces::Child child = fork_for_parent();
    if (child.pid == 0)
        run_child(socket, [&] { become(target, command, terminal, socket); });
    protocol::send(socket, protocol::Kind::mounted, 0, {}, {child.pidfd.get()});
}

struct Outcome {
    unique_fd pidfd; ///< of the command's process
    bool reached_exec = false;
    std::optional<protocol::Message> failure;
};

/// Hears both processes, in whatever order they get to speak, until neither has the socket: the
/// intermediate one exits, the command's closes it by its exec.
Outcome await_exec(int socket) {
    Outcome outcome;
    for (;;) {
        protocol::Message message = protocol::receive(socket, start_deadline);
        switch (message.kind) {
        case protocol::Kind::end: return outcome;
        case protocol::Kind::mounted:
            if (!message.fds.empty())
                outcome.pidfd = std::move(message.fds.front());
            break;
        case protocol::Kind::go: outcome.reached_exec = true; break;
        case protocol::Kind::mapped: break; // nobody says so here
        case protocol::Kind::failed: outcome.failure = std::move(message); break;
        }
    }
}

int wait_for(int pidfd) {
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED) < 0)
        if (errno != EINTR)
            fail_errno("waiting for a process");
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
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

Target look_at(int leader) {
    Target target;
    target.leader = leader;
    target.pid = pidfd::pid_of(leader);
    if (target.pid == 0)
        fail_code(ESRCH, "looking at the machine's leader");
    first_process::await(leader, target.pid);
    target.root = open_of(target.pid, "root", O_PATH | O_DIRECTORY);
    target.working_directory = open_of(target.pid, "cwd", O_PATH | O_DIRECTORY);
    target.namespaces = foreign_namespaces(target.pid);
    target.bounding = capabilities::bounding_of(target.pid);
    target.filters = syscall_filters::of(target.pid);
    target.no_new_privileges = has_no_new_privileges(target.pid);
    target.root_uid = root_of(target.pid, "uid_map");
    target.root_gid = root_of(target.pid, "gid_map");
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
    return target;
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

Process start(const Target &target, const Command &command, int terminal) {
    Group group = group_for(target);
    // From here on the subgroup is removed whatever happens.
    Process process({}, std::move(group.subgroup));
    std::pair<unique_fd, unique_fd> sockets = protocol::make_pair();
    unique_fd &ours = sockets.first;
    unique_fd &theirs = sockets.second;
    const namespaces::Child intermediate = namespaces::fork_into(0, group.directory.get());
    if (intermediate.pid == 0) {
        ours.reset();
        run_child(theirs.get(), [&] { join_and_fork(target, command, terminal, theirs.get()); });
    }
    theirs.reset();
    Outcome outcome = await_exec(ours.get());
    wait_for(intermediate.pidfd.get());
    process.pidfd_ = std::move(outcome.pidfd);
    if (outcome.failure && process.pidfd_)
        wait_for(process.pidfd_.get());
    if (outcome.failure && outcome.reached_exec)
        throw StartError(outcome.failure->text, outcome.failure->code);
    if (outcome.failure)
        throw Error(outcome.failure->text, outcome.failure->code);
    if (!process.pidfd_ || !outcome.reached_exec)
        fail("the process that was to join the machine ended without a word; has the machine been stopped?");
    return process;
}

} // namespace berth::join
