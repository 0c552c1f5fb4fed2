// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "temporary_directory.hpp"
#include "user/users.hpp"

using namespace berth;
using berth::test::error_of;

class Users : public testing::Test {
protected:
    Users() {
        directory_.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nbroken\n::::::\n"
                                       "bad:x:-1:0::/:/bin/sh\nbig:x:4294967295:1::/:/bin/sh\n"
                                       "web:x:33:33:web:/var/www:/bin/sh\nrel:x:50:50::relative:/bin/sh\n");
        directory_.write("etc/group",
                         "web:x:33:\nadm:x:4:root,web\nsudo:x:27:webmaster\nhuge:x:99999999999:web\n");
    }
    test::TemporaryDirectory directory_;
    unique_fd root_ = directory_.open();
};

TEST_F(Users, FindsByNameAndNumber) {
    const users::User web = users::look_up(root_.get(), "web");
    EXPECT_EQ(web.uid, 33U);
    EXPECT_EQ(web.home, "/var/www");
    EXPECT_EQ(web.groups, (std::vector<gid_t>{33, 4}));
    EXPECT_EQ(users::look_up(root_.get(), "33").name, "web");
    EXPECT_EQ(users::look_up(root_.get(), "").shell, "/bin/bash");
}

TEST_F(Users, NumbersAreNoNames) {
    directory_.write("etc/passwd", "1000:x:0:0::/:/bin/sh\n0:x:5:5::/:/bin/sh\n65535:x:0:0::/:/bin/sh\n");
    EXPECT_EQ(users::look_up(root_.get(), "1000").uid, 1000U);
    EXPECT_EQ(users::look_up(root_.get(), "0").uid, 0U);
    for (const char *name : {"65535", "4294967295", "99999999999999999999"})
        EXPECT_THAT(error_of([&] { (void)users::look_up(root_.get(), name); }),
                    testing::HasSubstr("no user ID"))
            << name;
}

TEST_F(Users, HostileEntriesDoNotCount) {
    for (const char *name : {"bad", "big", "broken", "nobody-there"})
        EXPECT_THAT(error_of([&] { (void)users::look_up(root_.get(), name); }), testing::HasSubstr("no user"))
            << name;
    EXPECT_EQ(users::look_up(root_.get(), "rel").home, "/");
}

TEST_F(Users, RootNeedsNoFiles) {
    const test::TemporaryDirectory empty;
    const unique_fd root = empty.open();
    EXPECT_EQ(users::look_up(root.get(), "root").uid, 0U);
    EXPECT_EQ(users::look_up(root.get(), "1000").uid, 1000U);
    error_of([&] { (void)users::look_up(root.get(), "4294967295"); });
}

TEST_F(Users, OfTheHostAreKnownByTheirRecords) {
    directory_.write("run/host/userdb/anna.user",
                     R"({"userName":"anna","uid":60514,"gid":60515,"homeDirectory":"/run/host/home/anna"})");
    const users::User anna = users::look_up(root_.get(), "anna");
    EXPECT_EQ(anna.uid, 60514U);
    EXPECT_EQ(anna.groups, (std::vector<gid_t>{60515}));
    EXPECT_EQ(anna.home, "/run/host/home/anna");
    EXPECT_EQ(anna.shell, "");
    directory_.write("run/host/userdb/web.user", R"({"uid":5,"gid":5})");
    EXPECT_EQ(users::look_up(root_.get(), "web").uid, 33U); // the tree's own
}

TEST_F(Users, HostileRecordsDoNotCount) {
    for (const char *bad :
         {"", "x", "[]", "{}", "7", R"({"uid":-1,"gid":5})", R"({"uid":5})", R"({"uid":"5","gid":5})",
          R"({"uid":4294967295,"gid":5})", R"({"uid":5.5,"gid":5})", R"({"uid":{},"gid":[]})"}) {
        directory_.write("run/host/userdb/anna.user", bad);
        EXPECT_THAT(error_of([&] { (void)users::look_up(root_.get(), "anna"); }),
                    testing::HasSubstr("no user"))
            << bad;
    }
    directory_.write("run/host/userdb/anna.user", R"({"uid":5,"gid":5,"homeDirectory":"x","shell":7})");
    EXPECT_EQ(users::look_up(root_.get(), "anna").home, "/");
    EXPECT_EQ(users::look_up(root_.get(), "anna").shell, "");
    directory_.write("run/host/x.user", R"({"uid":5,"gid":5})");
    EXPECT_THAT(error_of([&] { (void)users::look_up(root_.get(), "../x"); }), testing::HasSubstr("no user"));
}
