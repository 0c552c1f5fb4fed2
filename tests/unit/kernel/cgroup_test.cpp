// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "kernel/cgroup.hpp"

using berth::cgroup::unit_part;

TEST(Cgroup, UnitPartEndsAtTheLastUnit) {
    EXPECT_EQ(unit_part("/machine.slice/machine-a.scope/payload"), "/machine.slice/machine-a.scope");
    EXPECT_EQ(unit_part("/machine.slice/berth@a.service/supervisor"), "/machine.slice/berth@a.service");
    EXPECT_EQ(unit_part("/user.slice/user-0.slice/user@0.service/app.slice/x.scope"),
              "/user.slice/user-0.slice/user@0.service/app.slice/x.scope");
    EXPECT_EQ(unit_part("/a/b"), "/a/b");
    EXPECT_EQ(unit_part("/"), "/");
}
