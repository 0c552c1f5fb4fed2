// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/unique_fd.hpp"

namespace berth::network {

/// Waits until no other berth-network changes links, and keeps others waiting for as long as it is
/// open: between looking at a bridge and removing it, nobody shall put a port on it.
[[nodiscard]] unique_fd lock_links();

} // namespace berth::network
