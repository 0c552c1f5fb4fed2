// SPDX-License-Identifier: LGPL-2.1-or-later
// Asks berthd for a machine's leader, by sd-bus alone: exec has to start fast.
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace berth::cli {

/// A pidfd of the leader of `machine`. Throws Error that says what to do.
[[nodiscard]] unique_fd open_leader(const std::string &machine);

} // namespace berth::cli
