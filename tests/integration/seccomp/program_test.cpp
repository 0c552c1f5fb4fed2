// SPDX-License-Identifier: LGPL-2.1-or-later
// Filters of system calls as the kernel runs them, beside systemd-nspawn's.
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "berth/inspect/seccomp.hpp"
#include "kernel/capabilities.hpp"
#include "kernel/syscall_filters.hpp"
#include "seccomp/bpf.hpp"
#include "seccomp/groups.hpp"
#include "seccomp/load.hpp"
#include "seccomp/names.hpp"
#include "support/host_test.hpp"
#include "support/process.hpp"
#include "support/seccomp_probe.hpp"
#include "support/trees.hpp"

namespace berth::test {

namespace {

using seccomp::Program;
using seccomp::Programs;
using testing::AllOf;
using testing::HasSubstr;

class SeccompProgram : public HostTest {};

long swap_off() {
    return ::syscall(SYS_swapoff, "/nowhere");
}

} // namespace

TEST_F(SeccompProgram, AllowedCallsWork) {
    const Folder folder;
    const std::string inside = folder / "inside";
    EXPECT_EQ(under(filter({}), [&] { return ::mkdir(inside.c_str(), 0755); }), Ending{});
    EXPECT_TRUE(std::filesystem::is_directory(inside));
    EXPECT_EQ(under(filter({"@swap"}), swap_off), failed(ENOENT)); // the kernel's answer
    EXPECT_EQ(under(filter({"swapoff:log"}), swap_off), failed(ENOENT));
}

TEST_F(SeccompProgram, RefusedCallsFailAsTold) {
    constexpr long to_come = 900;
    EXPECT_EQ(under(filter({}), swap_off), failed(EPERM));
    EXPECT_EQ(under(filter({}), [] { return ::syscall(to_come); }), failed(ENOSYS));
    EXPECT_EQ(under(filter({"swapoff:EXDEV"}), swap_off), failed(EXDEV));
    EXPECT_EQ(under(filter({"~uname"}),
                    [] {
                        utsname name{};
                        return ::uname(&name);
                    }),
              failed(EPERM));
}

TEST_F(SeccompProgram, KillKills) {
    EXPECT_EQ(under(filter({"swapoff:kill"}), swap_off), killed);
    EXPECT_EQ(under(filter({"@swap:kill"}), swap_off), killed);
}

TEST_F(SeccompProgram, AuditIsSwitchedOff) {
    const auto open_socket = [](int protocol) {
        return [protocol] { return std::min(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), 0); };
    };
    EXPECT_EQ(under(filter({}), open_socket(NETLINK_AUDIT)), failed(EAFNOSUPPORT));
    EXPECT_EQ(under(filter({}), open_socket(NETLINK_ROUTE)), Ending{});
}

#if defined(__x86_64__)
// What 32-bit programs call is in the suite vm, since this kernel need not run them.
TEST_F(SeccompProgram, CallsOfX32AreFilteredToo) {
    constexpr long x32_bit = 0x40000000;
    const auto call = [] { return ::syscall(x32_bit | SYS_swapoff, "/nowhere"); };
    EXPECT_EQ(under(filter({}), call), failed(EPERM));
    EXPECT_EQ(under(filter({"swapoff:kill"}), call), killed);
}
#endif

TEST_F(SeccompProgram, SyncingIsSuppressed) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const unique_fd from(ends[0]);
    const unique_fd to(ends[1]);
    const auto sync_pipe = [&] { return ::fsync(from.get()); };
    // A pipe cannot be synced, so success is not the kernel's.
    EXPECT_EQ(under(filter({}), sync_pipe), failed(EINVAL));
    EXPECT_EQ(under(filter({}, true), sync_pipe), Ending{});
    EXPECT_EQ(under(filter({}, true), [&] { return ::fdatasync(from.get()); }), Ending{});
    EXPECT_EQ(under(filter({}, true), [] { return ::fsync(-1); }), failed(EBADF));
    EXPECT_EQ(under(filter({}, true), [] { return ::msync(nullptr, 1, -1); }), Ending{});

    const Folder folder;
    const std::string file = folder / "file";
    const auto open_with = [&](int flags) {
        return [&file, flags] {
            return std::min(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | flags, 0644), 0);
        };
    };
    EXPECT_EQ(under(filter({}, true), open_with(O_SYNC)), failed(EINVAL));
    EXPECT_EQ(under(filter({}, true), open_with(O_DSYNC)), failed(EINVAL));
    EXPECT_EQ(under(filter({}, true), open_with(0)), Ending{});
    EXPECT_EQ(under(filter({}), open_with(O_SYNC)), Ending{});
}

TEST_F(SeccompProgram, TheMachinesUserMayRefuseFilters) {
    // Which must not keep berth from installing all of its own.
    EXPECT_EQ(under(filter({"~@sandbox"}, true),
                    [] { return std::min(::socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), 0); }),
              failed(EAFNOSUPPORT));
}

TEST_F(SeccompProgram, TakesACapabilityOrNoNewPrivileges) {
    const auto without_capability = [](bool no_new_privileges) {
        return [no_new_privileges]() -> long {
            capabilities::limit_to(capabilities::all() & ~(std::uint64_t{1} << CAP_SYS_ADMIN));
            if (no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -1;
            try {
                seccomp::install(filter({}));
                return swap_off();
            } catch (const Error &error) {
                errno = std::string_view(error.what()).contains("CAP_SYS_ADMIN or no_new_privs")
                            ? error.code()
                            : 1;
                return -1;
            }
        };
    };
    EXPECT_EQ(under({}, without_capability(false)), failed(EACCES));
    EXPECT_EQ(under({}, without_capability(true)), failed(EPERM));
}

TEST_F(SeccompProgram, FiltersAreReadBackInTheOrderOfTheirInstallation) {
    const auto allow_after = [](std::size_t count) {
        Program program(count, {.code = BPF_LD | BPF_IMM});
        program.push_back({.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW});
        return program;
    };
    const Programs programs{allow_after(1), allow_after(2), allow_after(3)};
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
        seccomp::install(programs);
        ::pause();
        ::_exit(0);
    }
    Programs found;
    EXPECT_TRUE(eventually([&] { return (found = syscall_filters::of(pid)).size() == programs.size(); }));
    ::kill(pid, SIGKILL);
    ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
    ASSERT_EQ(found.size(), programs.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_EQ(found[i].size(), programs[i].size()) << i;
}

TEST_F(SeccompProgram, ErrorsNameTheWord) {
    const std::string program = "/usr/libexec/berth/berth-seccomp";
    const Outcome wrong = run({program, "~@moutn"});
    EXPECT_EQ(wrong.status, 1);
    EXPECT_EQ(wrong.out, "");
    EXPECT_EQ(wrong.err, "system call filter: there is no group \"@moutn\"; did you mean \"@mount\"?\n");
    const Outcome warned = run({program, "swapof"});
    EXPECT_EQ(warned.status, 0);
    EXPECT_THAT(warned.err, AllOf(HasSubstr("\"swapof\""), HasSubstr("did you mean \"swapoff\"?")));
    EXPECT_EQ(warned.out.size() % sizeof(sock_filter), 0U);
}

TEST_F(SeccompProgram, KeptFiltersOfOthersAreMadeAnew) {
    const Folder folder;
    const seccomp::Places places{.cache = folder / "cache"};
    (void)seccomp::load({}, places);
    const std::filesystem::path file = std::filesystem::directory_iterator(places.cache)->path();
    struct stat before{};
    ASSERT_EQ(::stat(file.c_str(), &before), 0);
    constexpr uid_t somebody = 1000;
    ASSERT_EQ(::chown(file.c_str(), somebody, 0), 0);
    (void)seccomp::load({}, places);
    struct stat after{};
    ASSERT_EQ(::stat(file.c_str(), &after), 0);
    EXPECT_EQ(after.st_uid, 0U);
    EXPECT_NE(after.st_ino, before.st_ino);
}

TEST_F(SeccompProgram, AKeptFilterIsQuicklyThere) {
    (void)filter({});
    constexpr int times = 200;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i)
        (void)filter({});
    const std::chrono::duration<double, std::micro> each = (std::chrono::steady_clock::now() - begin) / times;
    std::cout << "a filter from the cache: " << each.count() << " microseconds\n";
    EXPECT_LT(each.count(), 2000) << "microseconds for a filter from the cache";
}

// What follows compares with systemd, and knows no number of ours.

namespace {

/// Names in systemd's groups that are no system calls of any architecture, and nfsservctl, which the
/// kernel lost in 3.1: systemd has them in groups but not in @known.
const std::set<std::string> not_in_ours{"fstatat", "newfstat", "nfsservctl"};

/// systemd's groups, those within them left as they are named.
std::map<std::string, std::set<std::string>> systemd_groups() {
    std::map<std::string, std::set<std::string>> groups;
    std::string current;
    for (const std::string &line :
         split(succeed({"systemd-analyze", "syscall-filter", "--no-pager"}), '\n')) {
        const std::string word(trim(line));
        if (line.starts_with('@'))
            current = line;
        else if (line.starts_with('#'))
            current.clear();
        else if (!current.empty() && !word.empty() && word.front() != '#')
            groups[current].insert(word);
    }
    return groups;
}

std::set<std::string> expanded(const std::map<std::string, std::set<std::string>> &groups,
                               const std::string &group) {
    std::set<std::string> names;
    for (const std::string &word : groups.at(group)) {
        if (word.starts_with('@'))
            names.merge(expanded(groups, word));
        else
            names.insert(word);
    }
    return names;
}

} // namespace

TEST_F(SeccompProgram, GroupsAreSystemds) {
    const auto theirs = systemd_groups();
    ASSERT_GT(theirs.size(), 20U);
    std::set<std::string> their_names;
    for (const auto &[group, _] : theirs) {
        their_names.insert(group);
        std::set<std::string> expected = expanded(theirs, group);
        for (const std::string &name : not_in_ours)
            expected.erase(name);
        const auto ours = seccomp::members(group);
        EXPECT_EQ(std::set<std::string>(ours.begin(), ours.end()), expected) << group;
    }
    const auto our_names = seccomp::group_names();
    EXPECT_EQ(std::set<std::string>(our_names.begin(), our_names.end()), their_names);
    const auto known = expanded(theirs, "@known");
    for (const std::string &name : not_in_ours)
        EXPECT_FALSE(known.contains(name)) << name;
}

namespace {

std::vector<pid_t> children(pid_t pid) {
    std::vector<pid_t> found;
    const std::string file = berth::format("/proc/{}/task/{}/children", pid, pid);
    for (const std::string &word : split(trim(text_of(file)), ' '))
        if (const auto number = parse_unsigned(word))
            found.push_back(static_cast<pid_t>(*number));
    return found;
}

/// The process below `pid` whose name is `name`.
pid_t descendant(pid_t pid, const std::string &name) {
    for (const pid_t child : children(pid)) {
        if (trim(text_of(berth::format("/proc/{}/comm", child))) == name)
            return child;
        if (const pid_t below = descendant(child, name); below != 0)
            return below;
    }
    return 0;
}

class BesideThePeer : public SeccompProgram {
protected:
    /// The filters of a machine that systemd-nspawn starts with `options`.
    [[nodiscard]] Programs peer(const Words &options) const {
        Words words{"systemd-nspawn",       "--quiet", "--register=no", "--pipe", "--volatile=overlay",
                    "--machine=berth-peer", "-D",      tree_.path()};
        words.insert(words.end(), options.begin(), options.end());
        const Words command{"sh", "-c", "echo up; read -r end"};
        words.insert(words.end(), command.begin(), command.end());
        Process process(words);
        process.wait_for("up");
        const pid_t shell = descendant(process.pid(), "sh");
        if (shell == 0)
            fail("systemd-nspawn has no shell below it");
        Programs filters = syscall_filters::of(shell);
        process.write("\n");
        process.close_input();
        process.wait();
        return filters;
    }

private:
    SmallTree tree_;
};

/// Arguments that make a difference for one call or another.
constexpr std::array<std::array<std::uint64_t, 6>, 5> argument_lists{{
    {},
    {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT},
    {0xffffffff, O_SYNC, O_SYNC},
    {3, O_DSYNC, O_DSYNC},
    {AF_NETLINK, 1, 2, 3, 4, 5},
}};

/// The calls, named or not, that `ours` and `theirs` answer differently, as text.
std::set<std::string> differences(const Programs &ours, const Programs &theirs) {
    std::set<std::string> found;
    for (const seccomp::Architecture &architecture : seccomp::architectures()) {
        const auto names = call_names(architecture);
        const int base = names.begin()->first;
        for (int number = base; number < base + 1200; ++number) {
            for (const auto &arguments : argument_lists) {
                seccomp_data call{
                    .nr = number, .arch = architecture.audit, .instruction_pointer = 0, .args = {}};
                std::ranges::copy(arguments, call.args);
                const auto mine = seccomp::evaluate(ours, call);
                const auto other = seccomp::evaluate(theirs, call);
                const auto name = names.find(number);
                if (mine != other)
                    found.insert(berth::format("{} {}: {:#x}, theirs {:#x}", architecture.name,
                                               name == names.end() ? std::to_string(number) : name->second,
                                               mine, other));
            }
        }
    }
    return found;
}

using testing::Each;
using testing::IsEmpty;

} // namespace

TEST_F(BesideThePeer, CallsAreAnsweredAsThere) {
    const auto usual = capabilities::default_bounding(false);
    EXPECT_THAT(differences(filter({}), peer({})), IsEmpty());
    EXPECT_THAT(differences(filter({}, true), peer({"--suppress-sync=yes"})), Each(HasSubstr(" openat2: ")));
    EXPECT_THAT(differences(seccomp::load({.capabilities = capabilities::all()}).programs,
                            peer({"--capability=all"})),
                IsEmpty());
    for (const char *name : {"cap_bpf", "cap_ipc_lock", "cap_syslog", "cap_sys_module", "cap_sys_pacct",
                             "cap_sys_rawio", "cap_sys_time", "cap_audit_read", "cap_net_admin"})
        EXPECT_THAT(
            differences(seccomp::load({.capabilities = usual | capabilities::from_names({name})}).programs,
                        peer({std::string("--capability=") + name})),
            IsEmpty())
            << name;
    for (const char *name :
         {"cap_sys_boot", "cap_sys_ptrace", "cap_sys_tty_config", "cap_audit_control", "cap_sys_admin"})
        EXPECT_THAT(
            differences(seccomp::load({.capabilities = usual & ~capabilities::from_names({name})}).programs,
                        peer({std::string("--drop-capability=") + name})),
            IsEmpty())
            << name;
}

TEST_F(BesideThePeer, RulesMeanWhatTheyMeanThere) {
    for (const std::vector<std::string> &rules : {std::vector<std::string>{"@swap kexec_load"},
                                                  {"~@mount"},
                                                  {"~@swap", "@swap"},
                                                  {"@mount", "~umount2"},
                                                  {"@debug @keyring @obsolete"},
                                                  {"~fsync uname"},
                                                  {"nosuchcall"}}) {
        Words options;
        for (const std::string &rule : rules)
            options.push_back("--system-call-filter=" + rule);
        EXPECT_THAT(differences(filter(rules), peer(options)), IsEmpty()) << rules.front();
    }
}

TEST_F(BesideThePeer, ItsFiltersAreToldByName) {
    const nlohmann::json theirs = inspect_seccomp::explain_json(peer({}));
    const nlohmann::json ours = inspect_seccomp::explain_json(filter({}));
    EXPECT_EQ(theirs["architectures"], ours["architectures"]);
    EXPECT_NE(theirs["instructions"], ours["instructions"]); // more programs
    EXPECT_THAT(ours["architectures"][0]["errno"]["EPERM"], testing::Contains("kexec_load"));
}

TEST_F(BesideThePeer, DiffersWhereItIsMeantTo) {
    // See differences.md.
    EXPECT_THAT(differences(filter({"~bind"}), peer({"--system-call-filter=~bind"})),
                testing::AllOf(testing::Not(IsEmpty()), testing::Each(HasSubstr("x86 socketcall: "))));
    const auto sync =
        differences(filter({"~fsync"}, true), peer({"--suppress-sync=yes", "--system-call-filter=~fsync"}));
    EXPECT_THAT(
        sync, testing::AllOf(testing::Not(IsEmpty()),
                             testing::Each(testing::AnyOf(HasSubstr(" fsync: "), HasSubstr(" openat2: ")))));
    const Programs without_audit = peer({"--system-call-filter=~@sandbox"});
    EXPECT_THAT(differences(filter({"~@sandbox"}), without_audit),
                testing::AllOf(testing::Not(IsEmpty()), testing::Each(HasSubstr(" socket: "))));
}

} // namespace berth::test
