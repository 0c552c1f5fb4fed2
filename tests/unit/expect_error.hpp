// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.hpp"

namespace berth::test {

/// The text of the Error that `body` throws; a failure when it throws none.
template <class Body> std::string error_of(Body &&body) {
    try {
        body();
    } catch (const Error &error) {
        return error.what();
    }
    ADD_FAILURE() << "no error was thrown";
    return {};
}

} // namespace berth::test
