// SPDX-License-Identifier: LGPL-2.1-or-later
// A running machine, opened to join it or change it.
#pragma once

#include <string>

#include "base/unique_fd.hpp"
#include "join/join.hpp"

namespace berth::cli {

/// A joined machine, and the pidfd that its Target refers to.
struct Machine {
    unique_fd leader;
    join::Target target;
};

/// Opens the machine `name`; the host itself for "" and ".host". Throws Error that says what to do.
[[nodiscard]] Machine open_machine(const std::string &name, join::Look look);

} // namespace berth::cli
