// SPDX-License-Identifier: LGPL-2.1-or-later
// What all tests need, checked once.
#include <gtest/gtest.h>

#include <unistd.h>

#include "support/process.hpp"
#include "support/trees.hpp"

namespace berth::test {

namespace {

class Host : public testing::Environment {
public:
    void SetUp() override {
        ASSERT_EQ(::geteuid(), 0U) << "these tests run as root of a test host";
        ASSERT_EQ(::access("/run/systemd/system", F_OK), 0)
            << "systemd must be PID 1 here: use tests/testhost";
        ASSERT_EQ(::access("/usr/bin/berth", X_OK), 0) << "install berth first: testhost install";
        // Makes the folders that all machines share, so that no test finds them new.
        SmallTree tree;
        for (const char *upper : {"--upper=ephemeral", "--upper=persistent"})
            succeed({"berth", "run", "--quiet", "--machine=first", "-D", tree.path(), upper, "true"});
        std::filesystem::create_directories("/run/berth/image"); // that of machines from images
        std::filesystem::remove_all("/var/lib/berth/uppers/first");
    }
};

[[maybe_unused]] const auto *const host = testing::AddGlobalTestEnvironment(new Host); // gtest owns it

} // namespace

} // namespace berth::test
