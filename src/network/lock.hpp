// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "base/unique_fd.hpp"
#include "network/plan.hpp"

namespace berth::network {

/// Waits until no other berth-network changes links, and keeps others waiting for as long as it is
/// open: between looking at a bridge and removing it, nobody shall put a port on it.
[[nodiscard]] unique_fd lock_links();

/// Keeps these ports of the host from other machines for as long as it is open. Throws Error when
/// another has one: both would have rules for it, of which the kernel heeds one.
[[nodiscard]] unique_fd claim_ports(const std::vector<Port> &ports);

} // namespace berth::network
