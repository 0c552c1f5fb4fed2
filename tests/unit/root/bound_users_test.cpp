// SPDX-License-Identifier: LGPL-2.1-or-later
// --bind-user=: names, records, and IDs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/format.hpp"
#include "base/names.hpp"
#include "config/settings.hpp"
#include "expect_error.hpp"
#include "kernel/id_maps.hpp"
#include "temporary_directory.hpp"
#include "user/lookup.hpp"
#include "user/machine_ids.hpp"
#include "user/record.hpp"

using namespace berth;
using berth::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const user::HostUser anna{.name = "anna",
                          .uid = 1234,
                          .gid = 1235,
                          .home = "/home/anna",
                          .shell = "/bin/zsh",
                          .disposition = "",
                          .hashed_passwords = {"$y$a", "$y$b"},
                          .authorized_keys = {"ssh-ed25519 AAAA \"anna\""}};

MachineConfig config_from(std::string_view option, const std::string &value) {
    MachineConfig config;
    const Assignment assignment{.setting = find_option(option), .value = value, .origin = {"here"}};
    apply(config, {&assignment, 1});
    return config;
}

void expect_range(const id_map::Range &range, std::uint32_t inside, std::uint32_t outside,
                  std::uint32_t count) {
    EXPECT_EQ(range.inside, inside);
    EXPECT_EQ(range.outside, outside);
    EXPECT_EQ(range.count, count);
}

} // namespace

TEST(BoundUser, Names) {
    for (const char *good :
         {"anna", "_apt", "Anna-Maria", "anna.b", "a1", "abcdefghijklmnopqrstuvwxyz12345"}) {
        EXPECT_TRUE(user_name_valid(good)) << good;
        EXPECT_EQ(config_from("bind-user", good).users.bind_users.at(0).name, good);
    }
    for (const char *bad : {"", "1234", "a b", "anna@x", ".a", "-a", "a/b", "..", "a\n", "ä", "a:b",
                            "abcdefghijklmnopqrstuvwxyz123456"}) {
        EXPECT_FALSE(user_name_valid(bad)) << bad;
        EXPECT_THAT(error_of([&] { (void)config_from("bind-user", bad); }),
                    HasSubstr("is no name of a user"));
    }
}

TEST(BoundUser, Shells) {
    EXPECT_EQ(config_from("bind-user-shell", "no").users.bind_user_shell, std::nullopt);
    EXPECT_EQ(config_from("bind-user-shell", "yes").users.bind_user_shell, "");
    EXPECT_EQ(config_from("bind-user-shell", "/bin/ash").users.bind_user_shell, "/bin/ash");
    for (const char *bad : {"", "ash", "bin/ash"})
        EXPECT_THAT(error_of([&] { (void)config_from("bind-user-shell", bad); }),
                    HasSubstr("is not yes, no or an absolute path"));
}

TEST(BoundUser, RecordsTellNoMoreThanIsNeeded) {
    const auto files = user::records(anna, 60520, "");
    ASSERT_EQ(files.size(), 3U);
    EXPECT_EQ(files[0].name, "anna.user");
    EXPECT_EQ(files[0].link, "60520.user");
    EXPECT_EQ(files[0].mode, 0644U);
    EXPECT_EQ(files[0].content, R"({"userName":"anna","uid":60520,"gid":60520,)"
                                R"("homeDirectory":"/run/host/home/anna","service":"org.berth1"})"
                                "\n");
    EXPECT_EQ(files[1].name, "anna.user-privileged");
    EXPECT_EQ(files[1].link, "60520.user-privileged");
    EXPECT_EQ(files[1].mode, 0600U);
    EXPECT_EQ(files[1].content, R"({"privileged":{"hashedPassword":["$y$a","$y$b"],)"
                                R"("sshAuthorizedKeys":["ssh-ed25519 AAAA \"anna\""]}})"
                                "\n");
    EXPECT_EQ(files[2].name, "anna.group");
    EXPECT_EQ(files[2].content, R"({"groupName":"anna","gid":60520,"service":"org.berth1"})"
                                "\n");
}

TEST(BoundUser, RecordsHaveShellAndDispositionWhenTold) {
    user::HostUser user = anna;
    user.disposition = "regular";
    user.hashed_passwords.clear();
    user.authorized_keys.clear();
    const auto files = user::records(user, 60514, "/bin/ash");
    const auto record = nlohmann::json::parse(files[0].content);
    EXPECT_EQ(record.at("shell"), "/bin/ash");
    EXPECT_EQ(record.at("disposition"), "regular");
    EXPECT_EQ(files[1].content, "{\"privileged\":{}}\n");
}

TEST(BoundUser, GoesFromProgramToLauncher) {
    EXPECT_EQ(user::from_text(user::to_text(anna)), anna);
    for (const char *bad : {"", "x", "[]", "{}", R"({"name":"anna","uid":"x"})"})
        EXPECT_THAT(error_of([&] { (void)user::from_text(bad); }), HasSubstr("makes no sense"));
}

TEST(BoundUser, GetsAnIdThatNobodyHas) {
    const auto pick = [](const char *passwd, const char *group, std::uint32_t count = 65536) {
        return user::free_id(passwd, group, count, {60516});
    };
    EXPECT_EQ(pick("", ""), 60514U);
    EXPECT_EQ(pick("root:x:0:0::/:\na:x:60514:1::/:\n", "b:x:60515:\n"), 60517U);
    EXPECT_EQ(pick("broken\n:::\nbig:x:99999999999999999999:1::/:\nbad:x:60514x:1::/:", "+::\n"), 60514U);
    EXPECT_EQ(pick("", "", 60514), std::nullopt);
    EXPECT_EQ(pick("", "", 60515), 60514U);
    std::string all;
    for (unsigned id = 60514; id < 60578; ++id)
        all += berth::format("u{0}:x:{0}:0::/:\n", id);
    EXPECT_EQ(pick(all.c_str(), ""), std::nullopt);
}

TEST(BoundUser, NamesAreComparedWhole) {
    const char *passwd = "root:x:0:0::/:\nannabel:x:5:5::/:\nbob:x:6:6:anna:/:\n";
    EXPECT_FALSE(user::has_name(passwd, "anna"));
    EXPECT_TRUE(user::has_name(passwd, "annabel"));
    EXPECT_TRUE(user::has_name("anna", "anna")); // without an end of line
}

TEST(BoundUser, RecordsOfTheHostAreRead) {
    const test::TemporaryDirectory directory;
    const user::Folders folders{directory.path() / "etc", directory.path() / "usr"};
    EXPECT_EQ(user::in_folders("carl", folders).user.name, "");
    directory.write("usr/carl.user", R"({"userName":"carl","uid":4010})");
    directory.write("usr/4010.group", R"({"groupName":"staff","gid":4010})");
    const user::Found plain = user::in_folders("carl", folders);
    EXPECT_EQ(plain.user.gid, 4010U);
    EXPECT_EQ(plain.user.home, "/home/carl");
    EXPECT_EQ(plain.group, "staff");
    directory.write("etc/carl.user", R"({"userName":"carl","uid":4011,"gid":4012,"homeDirectory":"/srv/carl",
        "shell":"/bin/ash","disposition":"regular","privileged":{"hashedPassword":["old"]}})");
    directory.write("etc/carl.user-privileged",
                    R"({"privileged":{"hashedPassword":["new"],"sshAuthorizedKeys":["key"]}})");
    directory.write("etc/4012.group", R"({"groupName":"carl","gid":4012})");
    const user::Found full = user::in_folders("carl", folders);
    EXPECT_EQ(full.group, "carl");
    EXPECT_EQ(full.user, (user::HostUser{.name = "carl",
                                         .uid = 4011,
                                         .gid = 4012,
                                         .home = "/srv/carl",
                                         .shell = "/bin/ash",
                                         .disposition = "regular",
                                         .hashed_passwords = {"new"},
                                         .authorized_keys = {"key"}}));
}

TEST(BoundUser, BrokenRecordsOfTheHostAreNamed) {
    const test::TemporaryDirectory directory;
    const user::Folders folders{directory.path().native()};
    for (const char *bad : {"", "x", "[]", "{}", R"({"userName":"carl"})", R"({"userName":"carl","uid":"x"})",
                            R"({"userName":"carl","uid":1,"privileged":7})"}) {
        directory.write("carl.user", bad);
        EXPECT_THAT(error_of([&] { (void)user::in_folders("carl", folders); }),
                    HasSubstr("carl.user is no user record"))
            << bad;
    }
}

TEST(BoundUser, IsItselfAmongTheMachinesUsers) {
    const IdMaps ids(1U << 20U, 65536, true);
    const std::vector<Guest> guests{{.name = "b", .uid = 1235, .gid = 2235, .inside = 60515},
                                    {.name = "a", .uid = 1234, .gid = 2234, .inside = 60514}};
    const user_namespace::Maps maps = ids.of_machine(guests);
    ASSERT_EQ(maps.users.size(), 4U);
    ASSERT_EQ(maps.groups.size(), 4U);
    expect_range(maps.users[0], 0, 1048576, 60514);
    expect_range(maps.users[1], 60514, 1234, 1);
    expect_range(maps.users[2], 60515, 1235, 1);
    expect_range(maps.users[3], 60516, 1048576 + 60516, 5020);
    expect_range(maps.groups[1], 60514, 2234, 1);
    ASSERT_EQ(ids.of_machine().users.size(), 1U);
    expect_range(ids.of_machine().users[0], 0, 1048576, 65536);
}

TEST(BoundUser, MayEndTheMachinesUsers) {
    const IdMaps ids(1U << 20U, 60515, true);
    const auto maps = ids.of_machine({{.name = "a", .uid = 1234, .gid = 1234, .inside = 60514}});
    ASSERT_EQ(maps.users.size(), 2U);
    expect_range(maps.users[1], 60514, 1234, 1);
}

TEST(BoundUser, IsNoUserOfTheMachineAlready) {
    const IdMaps ids(0, 65536, false);
    EXPECT_THAT(
        error_of([&] { (void)ids.of_machine({{.name = "a", .uid = 1234, .gid = 70000, .inside = 60514}}); }),
        HasSubstr("ID 1234 of user a is among those of the machine"));
    const IdMaps high(1U << 20U, 65536, false);
    EXPECT_THAT(error_of([&] {
                    (void)high.of_machine({{.name = "a", .uid = 5, .gid = 6, .inside = 60514},
                                           {.name = "b", .uid = 5, .gid = 7, .inside = 60515}});
                }),
                HasSubstr("user a shares ID 5 with another one"));
}
