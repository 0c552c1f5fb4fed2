// SPDX-License-Identifier: LGPL-2.1-or-later
// What the kernel tells of a process that is to run in a machine, and what must not be in it.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

#include "join/check.hpp"

using namespace berth;

namespace {

const std::string honest =
    "Name:\tberth-exec\nUmask:\t0022\nUid:\t524288\t524288\t524288\t524288\n"
    "Gid:\t524289\t524289\t524289\t524289\nFDSize:\t64\nGroups:\t524289 524300 \n"
    "CapInh:\t0000000000000000\nCapPrm:\t00000000fdecafff\nCapEff:\t00000000fdecafff\n"
    "CapBnd:\t00000000fdecafff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
    "Seccomp_filters:\t2\n";

join_check::Identity identity() {
    return {.uid = 524288,
            .gid = 524289,
            .groups = {524300, 524289},
            .bounding = 0xfdecafff,
            .permitted = 0xfdecafff,
            .no_new_privileges = true,
            .filters = 2};
}

std::string with(const std::string &from, const std::string &to) {
    std::string text = honest;
    return text.replace(text.find(from), from.size(), to);
}

} // namespace

TEST(JoinCheck, WhoIsAsAskedForPasses) {
    EXPECT_EQ(join_check::difference(honest, identity()), "");
    // less is no harm
    EXPECT_EQ(
        join_check::difference(with("CapPrm:\t00000000fdecafff", "CapPrm:\t0000000000000000"), identity()),
        "");
    EXPECT_EQ(join_check::difference(with("Seccomp_filters:\t2", "Seccomp_filters:\t3"), identity()), "");
    EXPECT_EQ(join_check::difference(with("Seccomp_filters:\t2\n", ""), identity()), "") << "an older kernel";
}

TEST(JoinCheck, NothingElseDoes) {
    for (const auto &[from, to] : std::array<std::pair<const char *, const char *>, 16>{{
             {"524288\t524288\t524288\t524288\nGid", "0\t524288\t524288\t524288\nGid"},
             {"524288\t524288\t524288\t524288\nGid", "524288\t524288\t0\t524288\nGid"},
             {"524288\t524288\t524288\t524288\nGid", "524288\t524288\t524288\t0\nGid"},
             {"Uid:\t524288\t524288\t524288\t524288\n", ""},
             {"Gid:\t524289\t524289\t524289\t524289", "Gid:\t524289\t524289\t0\t524289"},
             {"Groups:\t524289 524300 ", "Groups:\t0 524289 524300 "},
             {"Groups:\t524289 524300 ", "Groups:\t524289 "},
             {"CapPrm:\t00000000fdecafff", "CapPrm:\t000001ffffffffff"},
             {"CapEff:\t00000000fdecafff", "CapEff:\t00000000fdfcafff"},
             {"CapBnd:\t00000000fdecafff", "CapBnd:\t00000000ffecafff"},
             {"CapInh:\t0000000000000000", "CapInh:\t8000000000000000"},
             {"CapAmb:\t0000000000000000", "CapAmb:\tzzzz"},
             {"CapAmb:\t0000000000000000\n", ""},
             {"NoNewPrivs:\t1", "NoNewPrivs:\t0"},
             {"Seccomp:\t2", "Seccomp:\t0"},
             {"Seccomp_filters:\t2", "Seccomp_filters:\t1"},
         }})
        EXPECT_NE(join_check::difference(with(from, to), identity()), "") << from << " -> " << to;
}
