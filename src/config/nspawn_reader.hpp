// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of systemd.nspawn(5) as a list of assignments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace berth {

/// Reads `text`, which errors and origins call `name`. Comments, continued lines and quoted words
/// are those of systemd.syntax(7); an empty value takes back what the file assigned before.
/// Sections and keys that begin with "X-" are left alone. Throws Error with file:line for any
/// other that systemd.nspawn(5) does not have.
[[nodiscard]] std::vector<Assignment> read_nspawn(std::string_view text, const std::string &name);

} // namespace berth
