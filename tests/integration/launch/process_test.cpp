// SPDX-License-Identifier: LGPL-2.1-or-later
// What surrounds the process: capabilities, limits, environment, clocks, keys.
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/env_file.hpp"
#include "base/format.hpp"
#include "base/io.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "peer/differences.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

class ProcessOptions : public OptionRows {};

const std::string caps = "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2";
const std::string none = "0000000000000000";
const std::string usual = "00000000fcecafff"; ///< the default bounding set
const std::string net_raw = "0000000000002000";
std::string lines(const std::vector<std::string> &all) {
    std::string text;
    for (const std::string &line : all)
        text += (text.empty() ? "" : "\n") + line;
    return text;
}

const std::vector<OptionRow> rows{
    {"CapabilitiesOfRoot", {"-x"}, caps, lines({none, usual, usual, usual, none}), ""},
    {"CapabilitiesOfAUser", {"-x", "--user=1000"}, caps, lines({none, none, none, usual, none}), ""},
    {"CapabilitiesInAUserNamespace",
     {"-x", "-U", "--private-network"},
     caps,
     lines({none, "00000000fdecbfff", "00000000fdecbfff", "00000000fdecbfff", none}),
     ""},
    {"CapabilityAdded",
     {"-x", "--capability=CAP_NET_ADMIN,cap_syslog"},
     caps,
     lines({none, "00000004fcecbfff", "00000004fcecbfff", "00000004fcecbfff", none}),
     ""},
    {"CapabilityDropped",
     {"-x", "--drop-capability=CAP_CHOWN", "--drop-capability=CAP_NET_RAW"},
     caps,
     lines({none, "00000000fcec8ffe", "00000000fcec8ffe", "00000000fcec8ffe", none}),
     ""},
    {"DropWins",
     {"-x", "--capability=CAP_NET_ADMIN", "--drop-capability=CAP_NET_ADMIN"},
     caps,
     lines({none, usual, usual, usual, none}),
     ""},
    {"AllDropped", {"-x", "--drop-capability=all"}, caps, lines({none, none, none, none, none}), ""},
    {"AllDroppedForAUser",
     {"-x", "--drop-capability=all", "--user=1000"},
     caps + "; id -u",
     lines({none, none, none, none, none, "1000"}),
     ""},
    {"AllDroppedBehindTheStub",
     {"-x", "--drop-capability=all", "--as-pid2"},
     caps + "; grep CapPrm /proc/1/status | cut -f2",
     lines({none, none, none, none, none, none}),
     ""},
    {"AllDroppedInAUserNamespace",
     {"-x", "--drop-capability=all", "-U"},
     caps,
     lines({none, none, none, none, none}),
     ""},
    {"AmbientForRoot",
     {"-x", "--ambient-capability=CAP_NET_RAW"},
     caps,
     lines({net_raw, usual, usual, usual, net_raw}),
     ""},
    {"AmbientForAUser",
     {"-x", "--ambient-capability=CAP_NET_RAW", "--user=1000"},
     caps,
     lines({net_raw, net_raw, net_raw, usual, net_raw}),
     ""},
    {"AmbientForAUserInAUserNamespace",
     {"-x", "--ambient-capability=CAP_NET_RAW", "--user=1000", "-U", "--drop-capability=CAP_AUDIT_CONTROL"},
     caps + " | head -n3; id -u",
     lines({net_raw, net_raw, net_raw, "1000"}),
     ""},
    {"AmbientBeyondTheBoundingSet",
     {"-x", "--ambient-capability=CAP_SYS_TIME"},
     "true",
     "",
     "--ambient-capability=CAP_SYS_TIME: cap_sys_time is not in the bounding set; add it with --capability="},
    {"AmbientAll", {"-x", "--ambient-capability=all"}, "true", "", "\"all\" is not taken here"},
    {"UnknownCapability",
     {"-x", "--capability=CAP_NONSENSE"},
     "true",
     "",
     "\"CAP_NONSENSE\" is not a capability"},
    {"NoNewPrivileges",
     {"-x", "--no-new-privileges"},
     "grep NoNewPrivs /proc/self/status | cut -f2",
     "1",
     ""},
    {"NewPrivileges",
     {"-x", "--no-new-privileges=no"},
     "grep NoNewPrivs /proc/self/status | cut -f2",
     "0",
     ""},

    {"OomScore", {"-x", "--oom-score-adjust=500"}, "cat /proc/self/oom_score_adj", "500", ""},
    {"OomScoreNonsense",
     {"-x", "--oom-score-adjust=1001"},
     "true",
     "",
     "\"1001\" is not a number from -1000 to 1000"},
    {"CpuAffinity",
     {"-x", "--cpu-affinity=0"},
     "grep Cpus_allowed_list /proc/self/status | cut -f2",
     "0",
     ""},
    {"CpuAffinityList",
     {"-x", "--cpu-affinity=0-1"},
     "grep Cpus_allowed_list /proc/self/status | cut -f2",
     "0-1",
     ""},
    {"CpuAffinityElsewhere", {"-x", "--cpu-affinity=8000"}, "true", "", "none of these CPUs can be used"},
    {"CpuAffinityNonsense",
     {"-x", "--cpu-affinity=2-1"},
     "true",
     "",
     "\"2-1\" is not a CPU or a range of CPUs"},
#if defined(__x86_64__)
    {"Personality", {"-x", "--personality=x86"}, "uname -m", "i686", ""},
    {"PersonalityOfTheHost", {"-x", "--personality=x86-64"}, "uname -m", "x86_64", ""},
#endif
    {"PersonalityNonsense", {"-x", "--personality=pdp11"}, "true", "", "\"pdp11\""},

    {"Environment",
     {"-x", "-E", "ONE=1 2", "--setenv=TWO=", "-EPATH=/bin", "-E", "HOME=/here", "-E", "ONE=again"},
     "echo \"$ONE|$TWO|$PATH|$HOME\"",
     "again||/bin|/here",
     ""},
    {"EnvironmentWithoutAName", {"-x", "--setenv==x"}, "true", "", "\"=x\" is not of the form NAME=VALUE"},
    {"EnvironmentNotSet",
     {"-x", "--setenv=BERTH_TEST_UNSET"},
     "true",
     "",
     "\"BERTH_TEST_UNSET\" is not set in our own environment either"},
    {"Chdir", {"-x", "--chdir=/etc"}, "pwd", "/etc", ""},
    {"ChdirMissing", {"-x", "--chdir=/none"}, "true", "", "entering /none: No such file or directory"},
    {"UserByNumber", {"-x", "--user=1234"}, "id -u; id -g; echo $HOME", "1234\n1234\n/", ""},
    {"UserMissing",
     {"-x", "--user=nobody-here"},
     "true",
     "",
     "there is no user \"nobody-here\" in the machine"},
    {"Hostname", {"-x", "--hostname=other"}, "hostname", "other", ""},
    {"LimitNonsense", {"-x", "--rlimit=NOFILES=1"}, "true", "", "is not of the form NAME=LIMIT"},
    {"LimitSoftAboveHard", {"-x", "--rlimit=NOFILE=2:1"}, "true", "", "the soft limit is above the hard one"},
};
TEST_P(ProcessOptions, HoldInside) {
    check(GetParam());
}
TEST_P(ProcessOptions, HoldForThePeer) {
    check_beside_peer(GetParam(), option_difference("ProcessOptions", GetParam().name));
}
INSTANTIATE_TEST_SUITE_P(Options, ProcessOptions, testing::ValuesIn(rows), name_of_row);

class MoreProcess : public OptionTest {};

/// /proc/PID/limits: "Max open files" -> "100 200".
std::map<std::string, std::string> limits_of(pid_t pid) {
    std::map<std::string, std::string> found;
    for (const std::string &line :
         berth::split(berth::read_file(berth::format("/proc/{}/limits", pid)), '\n')) {
        if (!line.starts_with("Max "))
            continue;
        std::istringstream values(line.substr(26));
        std::string soft;
        std::string hard;
        values >> soft >> hard;
        found[std::string(berth::trim(line.substr(0, 26)))] = soft + " " + hard;
    }
    return found;
}

} // namespace

TEST_F(MoreProcess, EveryLimitIsSet) {
    struct Limit {
        const char *option;
        const char *name;
        const char *values;
    };
    // Not above what a host without CAP_SYS_RESOURCE has; NICE and RTPRIO are 0 there.
    const std::vector<Limit> limits{
        {"CPU=1min:2min", "Max cpu time", "60 120"},
        {"FSIZE=1G:2G", "Max file size", "1073741824 2147483648"},
        {"DATA=1G:infinity", "Max data size", "1073741824 unlimited"},
        {"STACK=4M:16M", "Max stack size", "4194304 16777216"},
        {"CORE=1M:2M", "Max core file size", "1048576 2097152"},
        {"RSS=3G", "Max resident set", "3221225472 3221225472"},
        {"RLIMIT_NOFILE=100:200", "Max open files", "100 200"},
        {"AS=8G:16G", "Max address space", "8589934592 17179869184"},
        {"NPROC=500:1000", "Max processes", "500 1000"},
        {"MEMLOCK=64K:128K", "Max locked memory", "65536 131072"},
        {"LOCKS=10:20", "Max file locks", "10 20"},
        {"SIGPENDING=100:200", "Max pending signals", "100 200"},
        {"MSGQUEUE=1K:2K", "Max msgqueue size", "1024 2048"},
        {"NICE=0", "Max nice priority", "0 0"},
        {"RTPRIO=0", "Max realtime priority", "0 0"},
        {"RTTIME=1s:2000000", "Max realtime timeout", "1000000 2000000"},
    };
    Words options{"-D", tree.path(), "-x"};
    for (const Limit &limit : limits)
        options.push_back(std::string("--rlimit=") + limit.option);
    const Machine machine("options-limits", options);
    const auto found = limits_of(machine.leader());
    ASSERT_EQ(found.size(), limits.size());
    for (const Limit &limit : limits)
        EXPECT_EQ(found.at(limit.name), limit.values) << limit.option;
}

TEST_F(MoreProcess, LimitsAreTheKernelsUnlessTold) {
    const Machine machine("options-limits", {"-D", tree.path(), "-x"});
    const auto found = limits_of(machine.leader());
    const auto of_init = limits_of(1);
    EXPECT_EQ(found.at("Max stack size"), "8388608 unlimited");
    EXPECT_EQ(found.at("Max core file size"), "0 unlimited");
    EXPECT_EQ(found.at("Max cpu time"), "unlimited unlimited");
    EXPECT_EQ(found.at("Max processes"), of_init.at("Max processes"));
    EXPECT_EQ(found.at("Max pending signals"), of_init.at("Max pending signals"));
}

TEST_F(MoreProcess, EnvironmentOfTheCallerIsHandedOnByName) {
    Words words = this->words({"-x", "--setenv=FROM_OUTSIDE"},
                              {"sh", "-c", "echo $FROM_OUTSIDE ${NOT_ASKED_FOR-none}"});
    words.insert(words.begin(), {"env", "FROM_OUTSIDE=handed on", "NOT_ASKED_FOR=1"});
    EXPECT_EQ(succeed(words), "handed on none");
}

TEST_F(MoreProcess, ClocksCountFromTheStartInATimeOfItsOwn) {
    const Machine machine("options-time", {"-D", tree.path(), "-x", "--private-time"});
    const pid_t leader = machine.leader();
    EXPECT_NE(fs::read_symlink(berth::format("/proc/{}/ns/time", leader)),
              fs::read_symlink("/proc/self/ns/time"));
    EXPECT_LT(std::stod(machine.exec({"cut", "-d.", "-f1", "/proc/uptime"})), 600);
    const std::string offsets = berth::read_file(berth::format("/proc/{}/timens_offsets", leader));
    EXPECT_THAT(offsets, testing::ContainsRegex("monotonic +-[0-9]+ +0\nboottime +-[0-9]+ +0"));
    const Machine other("options-same-time", {"-D", tree.path(), "-x"});
    EXPECT_EQ(fs::read_symlink(berth::format("/proc/{}/ns/time", other.leader())),
              fs::read_symlink("/proc/self/ns/time"));
}

TEST_F(MoreProcess, KeysOfTheCallerAreOutOfReach) {
    const long made = ::syscall(SYS_add_key, "user", "berth-test-key", "secret", 6, KEY_SPEC_SESSION_KEYRING);
    ASSERT_GT(made, 0) << "no key can be made on this host";
    const std::string program = berth::format(
        "import ctypes; print(ctypes.CDLL(None).syscall({}, {}, {}, b'user', b'berth-test-key', 0) > 0)",
        SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING);
    EXPECT_EQ(succeed({"python3", "-c", program}), "True");
    EXPECT_EQ(
        succeed({"berth", "run", "-q", "-P", "-M", "options", "-D", "/", "-x", "python3", "-c", program}),
        "False");
    ::syscall(SYS_keyctl, KEYCTL_INVALIDATE, made);
}

TEST_F(MoreProcess, NamespacesOfAnotherMachineAreEntered) {
    const Machine one("options-joined", {"-D", tree.path(), "-x", "--private-network", "--hostname=joined"});
    const std::string leader = std::to_string(one.leader());
    struct Kind {
        const char *option;
        const char *file;
    };
    for (const Kind &kind : {Kind{"network-of", "net"}, Kind{"ipc-of", "ipc"}, Kind{"pid-of", "pid"},
                             Kind{"uts-of", "uts"}, Kind{"network-namespace-path", "net"}}) {
        const std::string path = "/proc/" + leader + "/ns/" + kind.file;
        const std::string theirs = fs::read_symlink(path);
        const std::string option = std::string("--") + kind.option + "=";
        const std::string line = std::string("readlink /proc/self/ns/") + kind.file;
        EXPECT_EQ(inside({"-x", option + path}, line), theirs) << option;
        if (std::string_view(kind.option).ends_with("-of")) {
            EXPECT_EQ(inside({"-x", option + "options-joined"}, line), theirs) << option;
            EXPECT_NE(inside({"-x"}, line), theirs) << option;
        }
    }
    EXPECT_EQ(inside({"-x", "--uts-of=options-joined"}, "hostname"), "joined");
    EXPECT_EQ(inside({"-x", "--pid-of=options-joined"}, "cat /proc/1/comm"), "sleep");
    EXPECT_EQ(inside({"-x", "--network-of=options-joined"},
                     "ls /sys/class/net | grep -v -E 'tunl|sit|gre|ip6|erspan|ip_vti'"),
              "lo");
    const Words all{"-x", "--network-of=options-joined", "--ipc-of=options-joined", "--pid-of=options-joined",
                    "--uts-of=options-joined"};
    for (const char *file : {"net", "ipc", "pid", "uts"})
        EXPECT_EQ(inside(all, std::string("readlink /proc/self/ns/") + file),
                  fs::read_symlink("/proc/" + leader + "/ns/" + file));
    for (const auto &[option, error] :
         {std::pair<std::string, const char *>{"--network-of=nobody-here",
                                               "no machine \"nobody-here\" is running"},
          {"--network-of=/etc/passwd", "/etc/passwd is not a namespace"},
          {"--uts-of=/proc/" + leader + "/ns/ipc", "is not a namespace of the kind \"uts\""}}) {
        const Outcome refused = try_inside({"-x", option}, "true");
        EXPECT_EQ(refused.status, 1) << option;
        EXPECT_THAT(refused.err, HasSubstr(error));
    }
    for (const char *option : {"-U", "--as-pid2", "--boot"}) {
        const Outcome refused = try_inside({"-x", "--pid-of=options-joined", option}, "true");
        EXPECT_EQ(refused.status, 1) << option;
    }
    EXPECT_EQ(one.exec({"echo", "undisturbed"}), "undisturbed");
}

TEST_F(MoreProcess, NamespacesOfAnotherMachineAreEnteredWithOtherUsers) {
    for (const char *users : {"--private-users=no", "--private-users=131072"}) {
        const Machine one("options-joined",
                          {"-D", tree.path(), "-x", users, "--private-network", "--hostname=joined"});
        const std::string leader = std::to_string(one.leader());
        // Not the machine's own, so that it may only look: at /sys, at the queues, and at its addresses.
        const Words all{"-x", "--private-users=327680", "--network-of=options-joined",
                        "--ipc-of=options-joined", "--uts-of=options-joined"};
        for (const char *file : {"net", "ipc", "uts"})
            EXPECT_EQ(inside(all, std::string("readlink /proc/self/ns/") + file),
                      fs::read_symlink("/proc/" + leader + "/ns/" + file))
                << users;
        EXPECT_EQ(inside(all, "echo $(cat /proc/self/uid_map)"), "0 327680 65536");
        EXPECT_EQ(inside(all, "hostname"), "joined");
        EXPECT_EQ(inside(all, "ls /sys/class/net | grep -v -E 'tunl|sit|gre|ip6|erspan|ip_vti'"), "lo");
        EXPECT_EQ(inside(all, "grep -c ' /dev/mqueue ' /proc/self/mounts"), "1");
        for (const char *change : {"ip link set lo down", "mount -o remount,rw /sys", "umount /dev/mqueue"})
            EXPECT_NE(try_inside(all, change).status, 0) << change;
        EXPECT_EQ(one.exec({"cat", "/sys/class/net/lo/operstate"}), "unknown");
    }
}
namespace {

/// A file in /run/systemd/machines as machined would write it.
class MachineState {
public:
    MachineState(const std::string &name, const std::string &lines) : path_("/run/systemd/machines/" + name) {
        fs::create_directories(path_.parent_path());
        std::ofstream(path_) << "NAME=" << name << "\nCLASS=container\n" << lines;
    }
    MachineState(const MachineState &) = delete;
    MachineState &operator=(const MachineState &) = delete;
    ~MachineState() { fs::remove(path_); }

private:
    fs::path path_;
};

} // namespace

TEST_F(MoreProcess, APidThatWentToAnotherProcessIsNotTheMachines) {
    const Machine one("options-joined", {"-D", tree.path(), "-x", "--private-network"});
    const auto state = berth::parse_env_file(text_of("/run/systemd/machines/options-joined"));
    const berth::unique_fd leader = berth::pidfd::open(one.leader());
    const std::string id = std::to_string(berth::pidfd::id_of(leader.get()));
    EXPECT_EQ(state.at("LEADER_PIDFDID"), id);
    const std::string theirs = fs::read_symlink(berth::format("/proc/{}/ns/net", one.leader()));
    struct Row {
        std::string scope;
        std::string id;
        bool is_it;
    };
    for (const Row &row :
         {Row{"machine-other.scope", id, true}, Row{state.at("SCOPE"), "1", false},
          Row{berth::c_escape(state.at("SCOPE")), "", true}, Row{"machine-other.scope", "", false}}) {
        const MachineState file("options-state",
                                berth::format("LEADER={}\nSCOPE={}\n{}", one.leader(), row.scope,
                                              row.id.empty() ? "" : "LEADER_PIDFDID=" + row.id + "\n"));
        const Outcome outcome =
            try_inside({"-x", "--network-of=options-state"}, "readlink /proc/self/ns/net");
        EXPECT_EQ(outcome.status, row.is_it ? 0 : 1) << row.scope << row.id << outcome.err;
        if (row.is_it)
            EXPECT_EQ(outcome.out, theirs + "\n");
        else
            EXPECT_THAT(outcome.err,
                        HasSubstr("--network-of=options-state: machine \"options-state\" has ended"));
    }
}

TEST_F(MoreProcess, NamespacesOfAMachineOfThePeerAreEntered) {
    Process peer({"systemd-nspawn", "--quiet", "--pipe", "--private-network", "--volatile=overlay",
                  "--machine=options-peer", "-D", tree.path(), "sh", "-c",
                  "readlink /proc/self/ns/net; echo up; read x"});
    const std::string theirs = peer.wait_for("up");
    EXPECT_EQ(inside({"-x", "--network-of=options-peer"}, "readlink /proc/self/ns/net") + "\nup", theirs);
    peer.close_input();
    peer.wait();
}

TEST_F(MoreProcess, TheSmallInitHasNothingOpenOfTheHosts) {
    for (int i = 0; i < 20; ++i) // from the beginning
        EXPECT_EQ(inside({"-x", "--as-pid2", "--register=no", "--network-namespace-path=/proc/self/ns/net"},
                         "ls /proc/1/fd; cat /proc/1/comm"),
                  "0\n1\n2\nberth-init");
}
