// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads berth.toml(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace berth {

/// Reads TOML text into assignments, in the order of the file. `name` is what errors call it.
/// Throws Error "name:line:column: …" for broken TOML, unknown sections and keys (with the
/// nearest known one) and wrong types.
[[nodiscard]] std::vector<Assignment> read_toml(std::string_view text, const std::string &name);

} // namespace berth
