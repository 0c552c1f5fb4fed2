// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/rules.hpp"

#include <linux/capability.h>

#include <algorithm>
#include <cerrno>

#include "expect_error.hpp"
#include "seccomp/groups.hpp"
#include "seccomp/policy.hpp"

namespace berth::test {

namespace {

using seccomp::Action;
using seccomp::members;
using seccomp::policy_for;
using seccomp::Rule;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr Action allowed{};
constexpr Action logged{.kind = Action::Kind::log};
constexpr Action killed{.kind = Action::Kind::kill};

constexpr Action refused(int error) {
    return {.kind = Action::Kind::refuse, .error = error};
}

/// Knows no names but those of the groups.
seccomp::Policy policy(const std::vector<std::string> &rules, std::uint64_t capabilities = 0) {
    return policy_for({.capabilities = capabilities, .rules = rules},
                      [](const std::string &) { return false; });
}

Action action_of(const std::string &call, const std::vector<std::string> &rules) {
    return policy(rules).calls.at(call);
}

} // namespace

TEST(SeccompRules, AreListsOfNamesAndGroups) {
    EXPECT_THAT(seccomp::parse_rules({" read\t@reboot\n", "~ptrace @mount", "~ chown", ""}),
                ElementsAre(Rule{"read", allowed}, Rule{"@reboot", allowed}, Rule{"ptrace", refused(EPERM)},
                            Rule{"@mount", refused(EPERM)}, Rule{"chown", refused(EPERM)}));
}

TEST(SeccompRules, MaySayWhatToDo) {
    EXPECT_THAT(seccomp::parse_rules(
                    {"bpf:kill @mount:log acct:ENOSYS swapon:4095 swapoff:EWOULDBLOCK", "~chown:EACCES"}),
                ElementsAre(Rule{"bpf", killed}, Rule{"@mount", logged}, Rule{"acct", refused(ENOSYS)},
                            Rule{"swapon", refused(4095)}, Rule{"swapoff", refused(EAGAIN)},
                            Rule{"chown", refused(EACCES)}));
}

TEST(SeccompRules, ErrorsNameTheWord) {
    for (const char *bad :
         {"bpf:", "bpf:EFOO", "bpf:0", "bpf:4096", "bpf:kill:log", ":kill", "@", "a ~b", "~~c", "~bpf:log"})
        EXPECT_THAT(error_of([&] { (void)seccomp::parse_rules({bad}); }),
                    HasSubstr(std::string(bad).substr(bad[1] == ' '   ? 2
                                                      : bad[0] == '~' ? 1
                                                                      : 0)))
            << bad;
}

TEST(SeccompGroups, HoldTheirMembers) {
    EXPECT_THAT(members("@reboot"), ElementsAre("kexec_file_load", "kexec_load", "reboot"));
    EXPECT_THAT(members("@swap"), ElementsAre("swapoff", "swapon"));
}

TEST(SeccompGroups, HoldThoseOfGroupsWithinThem) {
    EXPECT_THAT(members("@default"), Contains("seccomp")); // of @sandbox
    EXPECT_THAT(members("@privileged"), Contains("reboot"));
    for (const std::string_view group : seccomp::group_names())
        EXPECT_TRUE(std::ranges::includes(members("@known"), members(group))) << group;
    for (const std::string_view name : members("@known"))
        EXPECT_THAT(name, Not(HasSubstr("@")));
}

TEST(SeccompGroups, ThatAreNotThereHaveNone) {
    EXPECT_THAT(members("@foo"), IsEmpty());
    EXPECT_THAT(members("swap"), IsEmpty());
}

TEST(SeccompPolicy, RefusesWhatIsKnownAndNotAllowed) {
    EXPECT_EQ(action_of("mount", {}), allowed);
    EXPECT_EQ(action_of("ioctl", {}), allowed);
    EXPECT_EQ(action_of("kexec_load", {}), refused(EPERM));
    EXPECT_FALSE(policy({}).calls.contains("a_call_to_come"));
}

TEST(SeccompPolicy, AllowsWhatCapabilitiesAreFor) {
    const auto with = [](unsigned capability, const char *call) {
        return policy({}, std::uint64_t{1} << capability).calls.at(call);
    };
    for (const auto &[capability, call] :
         std::initializer_list<std::pair<unsigned, const char *>>{{CAP_BPF, "bpf"},
                                                                  {CAP_IPC_LOCK, "mlock"},
                                                                  {CAP_SYSLOG, "syslog"},
                                                                  {CAP_SYS_BOOT, "reboot"},
                                                                  {CAP_SYS_MODULE, "init_module"},
                                                                  {CAP_SYS_PACCT, "acct"},
                                                                  {CAP_SYS_PTRACE, "ptrace"},
                                                                  {CAP_SYS_RAWIO, "iopl"},
                                                                  {CAP_SYS_TIME, "settimeofday"},
                                                                  {CAP_SYS_TTY_CONFIG, "vhangup"}}) {
        EXPECT_EQ(with(capability, call), allowed) << call;
        EXPECT_EQ(with(CAP_CHOWN, call), refused(EPERM)) << call;
    }
}

TEST(SeccompPolicy, IsChangedByRules) {
    EXPECT_EQ(action_of("swapon", {"@swap"}), allowed);
    EXPECT_EQ(action_of("umount2", {"~@mount"}), refused(EPERM));
    EXPECT_EQ(action_of("chroot", {"chroot:log"}), logged);
    EXPECT_EQ(action_of("bpf", {"~bpf:kill"}), killed);
}

TEST(SeccompPolicy, TheStrictestRuleCountsInAnyOrder) {
    EXPECT_EQ(action_of("swapon", {"@swap", "~swapon"}), refused(EPERM));
    EXPECT_EQ(action_of("swapon", {"~swapon", "@swap"}), refused(EPERM));
    EXPECT_EQ(action_of("swapon", {"swapon:kill", "~swapon"}), killed);
    EXPECT_EQ(action_of("swapon", {"@swap", "swapon:log", "@swap"}), logged);
    // A named errno says more than a plain refusal.
    EXPECT_EQ(action_of("swapon", {"swapon:ENOSYS", "~@swap"}), refused(ENOSYS));
    EXPECT_EQ(action_of("swapon", {"~@swap", "swapon:ENOSYS", "swapon:EACCES"}), refused(EACCES));
}

TEST(SeccompPolicy, UnknownGroupsAreErrors) {
    EXPECT_THAT(error_of([] { (void)policy({"~@moutn"}); }),
                testing::AllOf(HasSubstr("\"@moutn\""), HasSubstr("did you mean \"@mount\"?")));
}

TEST(SeccompPolicy, UnknownCallsAreWarnedOf) {
    const seccomp::Policy made = policy({"swapof @swap"});
    EXPECT_THAT(made.warnings,
                ElementsAre(testing::AllOf(HasSubstr("\"swapof\""), HasSubstr("\"swapoff\"?"))));
    EXPECT_FALSE(made.calls.contains("swapof"));
    EXPECT_EQ(made.calls.at("swapon"), allowed);
}

TEST(SeccompPolicy, CallsOutsideTheTableMayBeKnown) {
    const auto made = policy_for({.rules = {"a_call_to_come"}}, [](const std::string &) { return true; });
    EXPECT_THAT(made.warnings, IsEmpty());
    EXPECT_EQ(made.calls.at("a_call_to_come"), allowed);
}

TEST(SeccompPolicy, LetsProgramsStart) {
    for (const char *rule : {"~@default", "~execve", "@known:kill", "~read"})
        EXPECT_THAT(error_of([&] { (void)policy({rule}); }), HasSubstr("no program starts without")) << rule;
}

} // namespace berth::test
