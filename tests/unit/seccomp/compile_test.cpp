// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/compile.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <stdexcept>

#include "berth/inspect/seccomp.hpp"
#include "expect_error.hpp"
#include "seccomp/bpf.hpp"
#include "seccomp/names.hpp"

#include <nlohmann/json.hpp>

namespace berth::test {

namespace {

using seccomp::Answer;
using seccomp::Architecture;
using seccomp::evaluate;
using seccomp::Programs;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr Answer refused(int error) {
    return SECCOMP_RET_ERRNO | static_cast<Answer>(error);
}

Programs compiled(const std::vector<std::string> &rules, bool suppress_sync = false) {
    return seccomp::compile({.rules = rules, .suppress_sync = suppress_sync}).programs;
}

/// What `programs` answer to `name` on `architecture`.
Answer answer(const Programs &programs, const Architecture &architecture, std::string_view name,
              std::initializer_list<std::uint64_t> arguments = {}) {
    for (const auto &[number, known] : call_names(architecture)) {
        if (known != name)
            continue;
        seccomp_data call{.nr = number, .arch = architecture.audit, .instruction_pointer = 0, .args = {}};
        std::ranges::copy(arguments, call.args);
        return evaluate(programs, call);
    }
    ADD_FAILURE() << architecture.name << " has no " << name;
    return 0;
}

Architecture native() {
    return seccomp::architectures().front();
}

/// Another architecture of this machine, where it has them.
Architecture other(const std::string &name) {
    for (Architecture &architecture : seccomp::architectures())
        if (architecture.name == name)
            return std::move(architecture);
    throw std::runtime_error("no such architecture: " + name);
}

} // namespace

TEST(SeccompCompile, AnswersAlikeOnAllArchitectures) {
    const Programs programs = compiled({"~chroot:EACCES", "swapon:kill acct:log"});
    for (const Architecture &architecture : seccomp::architectures()) {
        EXPECT_EQ(answer(programs, architecture, "read"), SECCOMP_RET_ALLOW) << architecture.name;
        EXPECT_EQ(answer(programs, architecture, "swapoff"), refused(EPERM)) << architecture.name;
        EXPECT_EQ(answer(programs, architecture, "chroot"), refused(EACCES)) << architecture.name;
        EXPECT_EQ(answer(programs, architecture, "swapon"), SECCOMP_RET_KILL_PROCESS) << architecture.name;
        EXPECT_EQ(answer(programs, architecture, "acct"), SECCOMP_RET_LOG) << architecture.name;
    }
}

TEST(SeccompCompile, CallsToComeAreNotThere) {
    for (const Architecture &architecture : seccomp::architectures()) {
        const int number = call_names(architecture).rbegin()->first + 100;
        EXPECT_EQ(evaluate(compiled({}),
                           {.nr = number, .arch = architecture.audit, .instruction_pointer = 0, .args = {}}),
                  refused(ENOSYS))
            << architecture.name;
    }
}

TEST(SeccompCompile, OtherArchitecturesHaveNothing) {
    EXPECT_EQ(evaluate(compiled({}), {.nr = 0, .arch = 0x12345678, .instruction_pointer = 0, .args = {}}),
              refused(ENOSYS));
}

TEST(SeccompCompile, AuditSocketsAreRefused) {
    const Programs programs = compiled({});
    EXPECT_EQ(answer(programs, native(), "socket", {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}),
              refused(EAFNOSUPPORT));
    // The kernel does not look at the upper halves either.
    EXPECT_EQ(answer(programs, native(), "socket",
                     {0x100000000 + AF_NETLINK, SOCK_RAW, 0x500000000 + NETLINK_AUDIT}),
              refused(EAFNOSUPPORT));
    EXPECT_EQ(answer(programs, native(), "socket", {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(programs, native(), "socket", {AF_INET, SOCK_RAW, NETLINK_AUDIT}), SECCOMP_RET_ALLOW);
}

TEST(SeccompCompile, SyncingIsSuppressed) {
    const Programs programs = compiled({}, true);
    for (const Architecture &architecture : seccomp::architectures()) {
        for (const char *name : {"sync", "msync", "fsync", "fdatasync", "syncfs", "sync_file_range"})
            EXPECT_EQ(answer(programs, architecture, name, {3}), refused(0)) << name << architecture.name;
        EXPECT_EQ(answer(programs, architecture, "fsync", {0xffffffff}), SECCOMP_RET_ALLOW); // for EBADF
        EXPECT_EQ(answer(programs, architecture, "openat2"), SECCOMP_RET_ALLOW); // its flags are in memory
        for (const std::uint64_t flag : {O_SYNC, O_DSYNC}) {
            EXPECT_EQ(answer(programs, architecture, "open", {0, flag}), refused(EINVAL));
            EXPECT_EQ(answer(programs, architecture, "openat", {0, 0, flag}), refused(EINVAL));
        }
        EXPECT_EQ(answer(programs, architecture, "openat", {0, 0, O_CREAT}), SECCOMP_RET_ALLOW);
        EXPECT_EQ(answer(compiled({}), architecture, "fsync", {3}), SECCOMP_RET_ALLOW);
    }
    EXPECT_EQ(answer(compiled({"~fsync"}, true), native(), "fsync", {3}), refused(EPERM));
}

#if defined(__x86_64__)
TEST(SeccompCompile, SharedEntriesAnswerEachCallOnItsOwn) {
    constexpr std::uint64_t bind_case = 2;
    constexpr std::uint64_t listen_case = 4;
    const Architecture x86 = other("x86");
    EXPECT_EQ(answer(compiled({}), x86, "socketcall", {bind_case}), SECCOMP_RET_ALLOW);
    const Programs no_bind = compiled({"~bind"});
    EXPECT_EQ(answer(no_bind, x86, "socketcall", {bind_case}), refused(EPERM));
    EXPECT_EQ(answer(no_bind, x86, "socketcall", {listen_case}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(no_bind, x86, "bind"), refused(EPERM));
    EXPECT_EQ(answer(compiled({"~bind:kill", "socketcall:log"}), x86, "socketcall", {bind_case}),
              SECCOMP_RET_KILL_PROCESS);
    const Programs no_entry = compiled({"~socketcall"});
    EXPECT_EQ(answer(no_entry, x86, "socketcall", {listen_case}), refused(EPERM));
    EXPECT_EQ(answer(no_entry, x86, "listen"), SECCOMP_RET_ALLOW);
}
#endif

TEST(SeccompInspect, TellsAnswersByName) {
    const nlohmann::json told =
        inspect_seccomp::explain_json(compiled({"swapon:kill acct:log chroot:EACCES"}, true));
    EXPECT_EQ(told["instructions"].size(), 3U);
    const nlohmann::json &calls = told["architectures"][0];
    EXPECT_THAT(calls["allowed"],
                testing::AllOf(Contains("read"), Not(Contains("swapon")), Not(Contains("acct"))));
    EXPECT_THAT(calls["killed"], testing::ElementsAre("swapon"));
    EXPECT_THAT(calls["logged"], testing::ElementsAre("acct"));
    EXPECT_THAT(calls["errno"]["EACCES"], testing::ElementsAre("chroot"));
    EXPECT_THAT(calls["errno"]["EPERM"], Contains("swapoff"));
    EXPECT_THAT(calls["errno"]["success"], Contains("fsync"));
    EXPECT_THAT(calls["by_arguments"]["socket"], testing::ElementsAre("EAFNOSUPPORT", "allowed"));
    EXPECT_THAT(calls["by_arguments"]["fsync"], testing::ElementsAre("allowed", "success"));
    EXPECT_FALSE(calls["by_arguments"].contains("read"));
    EXPECT_EQ(calls["nameless"], "ENOSYS");

    std::size_t sorted = 0;
    for (const char *kind : {"allowed", "logged", "traced", "notified", "trapped", "killed"})
        sorted += calls[kind].size();
    for (const auto &list : calls["errno"])
        sorted += list.size();
    EXPECT_EQ(sorted, calls["known"]);
    EXPECT_GT(sorted, 300U);
}

TEST(SeccompInspect, TellsPeople) {
    const std::string told = inspect_seccomp::explain(compiled({"swapon:kill"}));
    EXPECT_THAT(told, HasSubstr("1 kill the process:\n        swapon\n"));
    EXPECT_THAT(told, HasSubstr("socket: EAFNOSUPPORT or allowed\n"));
    EXPECT_THAT(told, HasSubstr(native().name + ": "));
    EXPECT_THAT(told, Not(HasSubstr(" go through:\n")));
    EXPECT_THAT(inspect_seccomp::explain(compiled({}), true), HasSubstr(" go through:\n"));
    EXPECT_THAT(inspect_seccomp::explain({}), HasSubstr("No system call filter"));
}

TEST(SeccompInspect, KnowsAllActions) {
    EXPECT_EQ(inspect_seccomp::describe(SECCOMP_RET_TRACE), "traced");
    EXPECT_EQ(inspect_seccomp::describe(SECCOMP_RET_USER_NOTIF), "notified");
    EXPECT_EQ(inspect_seccomp::describe(SECCOMP_RET_TRAP), "trapped");
    EXPECT_EQ(inspect_seccomp::describe(SECCOMP_RET_KILL_THREAD), "killed");
    EXPECT_EQ(inspect_seccomp::describe(SECCOMP_RET_ERRNO | 4095), "errno 4095");
}

} // namespace berth::test
