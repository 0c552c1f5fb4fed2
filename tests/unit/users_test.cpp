// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "runtime/users.hpp"
#include "temporary_directory.hpp"

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
