// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace berth::seccomp {

/// What a machine's filter of system calls is made from.
struct Request {
    /// The capabilities that the machine keeps, one bit each by its number.
    std::uint64_t capabilities = 0;
    /// What was asked for, each as an option gave it: a list of names and @groups as in
    /// systemd-nspawn(1), --system-call-filter=; see rules.hpp.
    std::vector<std::string> rules;
    /// fsync(2) and its like do nothing and succeed.
    bool suppress_sync = false;
};

/// All that decides which filter comes out, as lines of text: two requests with the same recipe have
/// the same filter.
[[nodiscard]] std::string recipe(const Request &request);

} // namespace berth::seccomp
