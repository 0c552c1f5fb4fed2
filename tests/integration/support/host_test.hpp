// SPDX-License-Identifier: LGPL-2.1-or-later
// The fixture of all tests here: each proves that the host is left as it was found.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/host_state.hpp"

namespace berth::test {

class HostTest : public testing::Test {
protected:
    /// `but_of`: the name of a machine that the suite's tests share.
    explicit HostTest(std::string but_of = {}) : but_of_(std::move(but_of)) {}

    void SetUp() override { before_ = host_state(but_of_); }
    void TearDown() override { expect_host_as(before_, but_of_); }

private:
    std::string but_of_;
    HostState before_;
};

} // namespace berth::test
