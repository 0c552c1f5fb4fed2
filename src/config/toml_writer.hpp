// SPDX-License-Identifier: LGPL-2.1-or-later
// Assignments as berth.toml(5).
#pragma once

#include <string>
#include <vector>

#include "config/settings.hpp"

namespace berth {

/// The TOML text that read_toml() makes the same of. Settings that only the command line has are
/// left out.
[[nodiscard]] std::string write_toml(const std::vector<Assignment> &assignments);

} // namespace berth
