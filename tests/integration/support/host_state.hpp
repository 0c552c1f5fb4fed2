// SPDX-License-Identifier: LGPL-2.1-or-later
// What machines may leave on a host: mounts, links, processes, cgroups, units, files.
#pragma once

#include <set>
#include <string>

namespace berth::test {

/// Each thing as a line that tells what it is.
using HostState = std::set<std::string>;

/// All there is now, but for what belongs to the machine `but_of`: tests may share one, and what
/// goes on in it is its own business.
[[nodiscard]] HostState host_state(const std::string &but_of);

/// Waits until the host is as it was `before`, as systemd and berthd clean up behind us; if it
/// never is, fails the test with what is left or missing.
void expect_host_as(const HostState &before, const std::string &but_of);

} // namespace berth::test
