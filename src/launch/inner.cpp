// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/inner.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/rooted.hpp"
#include "kernel/entering.hpp"
#include "kernel/protocol.hpp"
#include "launch/network.hpp"
#include "launch/process.hpp"
#include "launch/stub_init.hpp"
#include "root/api_mounts.hpp"
#include "root/tree.hpp"
#include "seccomp/load.hpp"
#include "user/users.hpp"

namespace berth::inner {

namespace {

using namespace std::chrono_literals;

/// The launcher may have to wait for systemd, and systemd for a busy disk.
constexpr auto go_deadline = 90s;

void die_with_launcher() {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        fail_errno("asking to be killed with the launcher");
}

/// Signals as a new process expects them: nothing blocked, nothing ignored.
void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal)
        ::signal(signal, SIG_DFL); // those that cannot be set say so; no harm
    sigset_t none;
    ::sigemptyset(&none);
    if (::sigprocmask(SIG_SETMASK, &none, nullptr) < 0)
        fail_errno("unblocking signals");
}

/// Becomes the machine's root, now that the launcher has said who that is. Returns mounts that it made for
/// us.
std::vector<unique_fd> become_root_inside(int socket) {
    protocol::Message mapped =
        protocol::expect(socket, protocol::Kind::mapped, go_deadline, "waiting for the launcher");
    if (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0 || ::setgroups(0, nullptr) < 0)
        fail_errno("becoming the machine's root");
    // Both are lost with a change of user.
    if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        fail_errno("keeping /proc/self ours");
    die_with_launcher();
    return std::move(mapped.fds);
}

/// The console, or the launcher's own stdio but for terminals.
void take_stdio(const tree::Assembled &built, const Orders &orders) {
    const int console = built.console_slave.get();
    entering::Stdio stdio = orders.stdio;
    if (console >= 0)
        stdio = {.terminal = console,
                 .replaced = {console, console, orders.plan.errors_apart ? -1 : console}};
    entering::put_stdio(stdio);
    entering::lead_session(stdio.terminal);
}

void change_directory(const std::string &path) {
    if (path.empty())
        return;
    if (::chdir(path.c_str()) < 0)
        fail_errno("entering {}", path);
    rooted::require_inside(path);
}

class Environment {
public:
    Environment(const LaunchPlan &plan, const users::User &user) {
        for (const auto &[name, value] : plan.environment)
            set(name, value);
        // The user's own settings stand; systemd-nspawn gives these to commands and inits alike.
        add("HOME", user.home);
        add("USER", user.name);
        add("LOGNAME", user.name);
    }

    [[nodiscard]] std::string path() const {
        const auto found =
            std::ranges::find_if(lines_, [](const auto &line) { return line.starts_with("PATH="); });
        return found == lines_.end() ? "" : found->substr(5);
    }

    /// For execve(2); valid until the environment changes.
    [[nodiscard]] std::vector<char *> pointers() {
        std::vector<char *> pointers;
        for (std::string &line : lines_)
            pointers.push_back(line.data());
        pointers.push_back(nullptr);
        return pointers;
    }

private:
    void set(const std::string &name, const std::string &value) { lines_.push_back(name + "=" + value); }
    void add(const std::string &name, const std::string &value) {
        if (std::ranges::none_of(lines_, [&](const auto &line) { return line.starts_with(name + "="); }))
            set(name, value);
    }

    std::vector<std::string> lines_;
};

/// Tries to become `file`; returns errno when it cannot.
int try_exec(const std::string &file, std::vector<std::string> words, Environment &environment) {
    std::vector<char *> pointers;
    for (std::string &word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    ::execve(file.c_str(), pointers.data(), environment.pointers().data());
    return errno;
}

/// The same for a command: a file of no known format is a script, as in execvp(3).
int try_exec_command(const std::string &file, const std::vector<std::string> &words,
                     Environment &environment) {
    const int code = try_exec(file, words, environment);
    if (code != ENOEXEC)
        return code;
    std::vector<std::string> script{"/bin/sh", file};
    script.insert(script.end(), words.begin() + 1, words.end());
    return try_exec("/bin/sh", std::move(script), environment);
}

constexpr std::array inits{"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"};

/// What exec_init() will most likely execute, in the tree that is our root by now; empty where there is none.
std::filesystem::path init_of_tree() {
    std::error_code error;
    for (const char *init : inits)
        if (::access(init, X_OK) == 0)
            return std::filesystem::canonical(init, error);
    return {};
}

bool is_systemd(const std::filesystem::path &init) {
    return init.filename() == "systemd";
}

[[noreturn]] void exec_init(const LaunchPlan &plan, Environment &environment) {
    int code = ENOENT;
    for (const char *init : inits) {
        std::vector<std::string> words{init};
        words.insert(words.end(), plan.command.begin(), plan.command.end());
        if (const int failed = try_exec(init, std::move(words), environment); failed != ENOENT)
            code = failed;
    }
    fail_code(code, "starting the tree's init (systemd or /sbin/init)");
}

[[noreturn]] void exec_shell(const users::User &user, Environment &environment) {
    int code = ENOENT;
    for (const std::string &shell : {user.shell, std::string("/bin/bash"), std::string("/bin/sh")}) {
        if (shell.empty())
            continue;
        const std::string name = "-" + std::filesystem::path(shell).filename().native();
        if (const int failed = try_exec(shell, {name}, environment); failed != ENOENT)
            code = failed;
    }
    fail_code(code, "starting a shell for user {}", user.name);
}

[[noreturn]] void exec_command(const LaunchPlan &plan, Environment &environment) {
    const std::string &name = plan.command.front();
    if (name.contains('/'))
        fail_code(try_exec_command(name, plan.command, environment), "starting {}", name);
    int code = ENOENT;
    const std::string path = environment.path();
    std::string_view rest = path;
    while (!rest.empty()) {
        const auto end = rest.find(':');
        const std::string file = berth::format("{}/{}", rest.substr(0, end), name);
        if (const int failed = try_exec_command(file, plan.command, environment);
            failed != ENOENT && failed != ENOTDIR)
            code = failed;
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    fail_code(code, "starting {}", name);
}

/// The last steps, as the process that execs.
[[noreturn]] void become_payload(const LaunchPlan &plan, const users::User &user, int socket) {
    Environment environment(plan, user);
    const bool is_init = plan.mode == ExecMode::boot;
    entering::close_others({socket}); // a working directory may be named by way of /proc/self/fd
    change_directory(plan.working_directory);
    if (!is_init) {
        process::keep_capabilities(plan.process);
        users::become(user);
        if (plan.mode == ExecMode::command)
            die_with_launcher(); // changing the user took it back
    }
    // Not before: the change of user may need what the machine is not to have.
    capabilities::reduce(plan.bounding);
    reset_signals();
    process::prepare(plan.process);
    if (is_init)
        exec_init(plan, environment);
    if (plan.command.empty())
        exec_shell(user, environment);
    exec_command(plan, environment);
}

/// Makes us the command's process, and who we were the small init: when this returns, that has nothing of
/// the launcher's any more, which the command could get at.
void split_off_stub(const LaunchPlan &plan) {
    sigset_t all;
    ::sigfillset(&all);
    if (::sigprocmask(SIG_SETMASK, &all, nullptr) < 0) // the command's end is not to be missed
        fail_errno("blocking signals");
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0)
        fail_errno("creating a pipe");
    const unique_fd left(ends[0]);
    unique_fd leaving(ends[1]);
    const pid_t command = ::fork();
    if (command < 0)
        fail_errno("creating the command's process");
    if (command != 0) {
        capabilities::reduce(plan.bounding);
        stub_init::leave_launcher(); // closes the socket, too: its end is the sign of the command's exec
        stub_init::run(command);
    }
    leaving.reset();
    (void)read_all(left.get(), "the small init");
}

/// The tree, and what the launcher is to know of it.
void send_mounted(const LaunchPlan &plan, int socket, const tree::Assembled &built, bool ours) {
    std::vector<int> fds;
    if (ours) {
        fds.push_back(built.notify.get());
        if (built.console)
            fds.push_back(built.console.get());
    }
    protocol::send(socket, protocol::Kind::mounted, 0,
                   plan.mode == ExecMode::boot && is_systemd(init_of_tree()) ? protocol::init_notifies : "",
                   fds);
}

void cut_off_mounts() {
    if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0)
        fail_errno("cutting our mounts off from the host's");
}

/// The tree of a machine without users of its own.
tree::Assembled build_tree(const LaunchPlan &plan, const tree::Parts &parts) {
    cut_off_mounts();
    tree::Assembled built = tree::assemble(plan, parts);
    tree::show_namespaces(plan, built,
                          api_mounts::make(plan.api,
                                           tree::shown_of_others(plan) | tree::shown_of_its_own(plan),
                                           tree::shown_of_others(plan)),
                          false);
    return built;
}

/// The tree that the launcher has assembled. A copy of its mounts, made in our user namespace, is locked.
tree::Assembled take_over(const LaunchPlan &plan, Orders &orders, int socket) {
    std::vector<unique_fd> mounts = become_root_inside(socket);
    if (::unshare(CLONE_NEWNS) < 0)
        fail_errno("creating the machine's mount namespace");
    cut_off_mounts();
    tree::Assembled built = std::move(*orders.assembled);
    tree::adopt(built);
    const std::uint64_t shown = tree::shown_of_its_own(plan);
    if (!tree::locks_namespaces(plan, orders.parts.ids.base()))
        tree::show_namespaces(plan, built,
                              mounts.empty()
                                  ? api_mounts::make(plan.api, shown, 0)
                                  : api_mounts::from_descriptors(plan.api, shown, std::move(mounts)),
                              false);
    return built;
}

void go_on(Orders &orders, unique_fd &socket) {
    const LaunchPlan &plan = orders.plan;
    die_with_launcher();
    const bool ours = orders.assembled == nullptr;
    tree::Assembled built = ours ? build_tree(plan, orders.parts) : take_over(plan, orders, socket.get());
    // While /proc is the host's still: the machine's own is not to be trusted.
    const users::User user = users::look_up(built.root.get(), plan.user);
    tree::finish(plan, built);
    if (plan.private_names() && ::sethostname(plan.hostname.c_str(), plan.hostname.size()) < 0)
        fail_errno("setting the host name");
    if (plan.private_network())
        network::raise_loopback();
    send_mounted(plan, socket.get(), built, ours);
    // The launcher waits for systemd now. A filter that forbids none of our own steps costs no time.
    const bool early = plan.process.system_call_filter.empty()
                       && (plan.bounding & capabilities::system_administration()) != 0;
    if (early)
        seccomp::install(orders.filter);
    (void)protocol::expect(socket.get(), protocol::Kind::go, go_deadline, "waiting for the launcher");

    if (::unshare(CLONE_NEWCGROUP) < 0)
        fail_errno("entering a cgroup namespace");
    tree::show_cgroup(plan, built);
    if (!early)
        seccomp::install(orders.filter);
    capabilities::bound(plan.bounding);
    if (plan.mode == ExecMode::pid2)
        split_off_stub(plan);
    take_stdio(built, orders);
    become_payload(plan, user, socket.get());
}

} // namespace

void run(Orders orders, unique_fd socket) noexcept {
    try {
        go_on(orders, socket);
    } catch (const Error &error) {
        try {
            protocol::send(socket.get(), protocol::Kind::failed, error.code(), error.what());
        } catch (const Error &) { // NOLINT(bugprone-empty-catch): nobody is left to tell
        }
    } catch (const std::exception &error) {
        try {
            protocol::send(socket.get(), protocol::Kind::failed, 0, error.what());
        } catch (const Error &) { // NOLINT(bugprone-empty-catch): nobody is left to tell
        }
    }
    ::_exit(1);
}

} // namespace berth::inner
