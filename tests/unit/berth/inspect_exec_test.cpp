// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "berth/inspect/exec.hpp"

using namespace berth;
using namespace berth::exec_rules;
using testing::Contains;
using testing::HasSubstr;

namespace {

constexpr Set change_owner = 1U << 0;
constexpr Set net_raw = 1U << 13;
constexpr Set net_admin = 1U << 12;
constexpr Set bounding = change_owner | net_raw;

Caller root() {
    return {.uid = 0, .gid = 0, .sets = {.permitted = bounding, .effective = bounding}, .bounding = bounding};
}

Caller user() {
    return {.uid = 1000, .gid = 1000, .sets = {}, .bounding = bounding};
}

File with(Set permitted, bool effective, Set inheritable = 0, std::string ignored = {}) {
    File file;
    file.capabilities = FileCapabilities{.permitted = permitted,
                                         .inheritable = inheritable,
                                         .effective = effective,
                                         .ignored = std::move(ignored)};
    return file;
}

File set_uid(uid_t owner, std::string ignored = {}) {
    File file;
    file.set_uid = owner;
    file.set_id_ignored = std::move(ignored);
    return file;
}

} // namespace

TEST(ExecRules, PlainFileGivesAUserNothingAndLeavesRootAll) {
    const Outcome as_user = run(user(), {});
    EXPECT_EQ(as_user.sets.permitted, 0U);
    EXPECT_EQ(as_user.gained, 0U);
    const Outcome as_root = run(root(), {});
    EXPECT_EQ(as_root.sets.permitted, bounding);
    EXPECT_EQ(as_root.sets.effective, bounding);
    EXPECT_EQ(as_root.gained, 0U);
}

TEST(ExecRules, FilePermittedIsBounded) {
    const Outcome outcome = run(user(), with(net_raw | net_admin, false));
    EXPECT_FALSE(outcome.refused);
    EXPECT_EQ(outcome.sets.permitted, net_raw);
    EXPECT_EQ(outcome.sets.effective, 0U);
    EXPECT_EQ(outcome.gained, net_raw);
}

TEST(ExecRules, EffectiveBitMakesItEffectiveOrRefusesTheExec) {
    EXPECT_EQ(run(user(), with(net_raw, true)).sets.effective, net_raw);
    for (const Caller &caller : {user(), root()}) {
        const Outcome refused = run(caller, with(net_raw | net_admin, true));
        EXPECT_TRUE(refused.refused);
        EXPECT_THAT(refused.lines, Contains(HasSubstr("P(bounding) lacks cap_net_admin")));
    }
}

TEST(ExecRules, InheritableTakesBothSides) {
    Caller caller = user();
    caller.sets.inheritable = net_admin; // outside the bounding set, yet it passes
    EXPECT_EQ(run(caller, with(0, true, net_admin | change_owner)).sets.effective, net_admin);
    EXPECT_EQ(run(caller, {}).sets.permitted, 0U);
    EXPECT_EQ(run(caller, {}).sets.inheritable, net_admin);
}

TEST(ExecRules, AmbientPassesPlainFilesOnly) {
    Caller caller = user();
    caller.sets = {.permitted = change_owner,
                   .effective = change_owner,
                   .inheritable = change_owner,
                   .ambient = change_owner};
    const Outcome plain = run(caller, {});
    EXPECT_EQ(plain.sets.permitted, change_owner);
    EXPECT_EQ(plain.sets.effective, change_owner);
    EXPECT_EQ(plain.sets.ambient, change_owner);
    const Outcome privileged = run(caller, with(net_raw, false));
    EXPECT_EQ(privileged.sets.permitted, net_raw);
    EXPECT_EQ(privileged.sets.ambient, 0U);
    EXPECT_EQ(run(caller, set_uid(1001)).sets.ambient, 0U);
}

TEST(ExecRules, SetUidRootGivesTheBoundingSet) {
    const Outcome outcome = run(user(), set_uid(0));
    EXPECT_EQ(outcome.uid, 0U);
    EXPECT_EQ(outcome.sets.permitted, bounding);
    EXPECT_EQ(outcome.sets.effective, bounding);
    EXPECT_EQ(outcome.gained, bounding);
}

TEST(ExecRules, SetUidRootCountsForNothingBesideFileCapabilities) {
    File file = with(net_raw, true);
    file.set_uid = 0;
    const Outcome outcome = run(user(), file);
    EXPECT_EQ(outcome.uid, 0U);
    EXPECT_EQ(outcome.sets.permitted, net_raw);
    EXPECT_EQ(run(root(), file).sets.permitted, bounding);
}

TEST(ExecRules, RootThatBecomesAnotherKeepsPermittedButNotEffective) {
    const Outcome outcome = run(root(), set_uid(1000));
    EXPECT_EQ(outcome.uid, 1000U);
    EXPECT_EQ(outcome.sets.permitted, bounding);
    EXPECT_EQ(outcome.sets.effective, 0U);
}

TEST(ExecRules, WhatIsIgnoredGivesNothing) {
    const Outcome outcome = run(user(), with(net_raw, true, 0, "the mount is nosuid"));
    EXPECT_EQ(outcome.sets.permitted, 0U);
    EXPECT_THAT(outcome.lines, Contains(HasSubstr("ignored, as the mount is nosuid")));
    const Outcome set_id = run(user(), set_uid(0, "the mount is nosuid"));
    EXPECT_EQ(set_id.uid, 1000U);
    EXPECT_EQ(set_id.sets.permitted, 0U);
}

TEST(ExecRules, NoNewPrivilegesGivesNoMoreThanThereWas) {
    Caller caller = user();
    caller.no_new_privileges = true;
    EXPECT_EQ(run(caller, with(net_raw, true)).sets.permitted, 0U);
    EXPECT_EQ(run(caller, set_uid(0)).uid, 1000U);
    caller.sets.permitted = net_raw;
    EXPECT_EQ(run(caller, with(net_raw | change_owner, true)).sets.permitted, net_raw);
}
