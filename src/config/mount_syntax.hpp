// SPDX-License-Identifier: LGPL-2.1-or-later
// The ":"-syntax of mounts on command lines and in files (systemd-nspawn(1), "Mount Options").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/machine_config.hpp"

namespace berth {

/// Splits at ":"; "\:" stands for a colon, "\\" for a backslash.
[[nodiscard]] std::vector<std::string> split_mount(std::string_view text);

/// [-|+]SOURCE[:DESTINATION[:OPTIONS]], options rbind and norbind. Throws Error on anything else.
[[nodiscard]] Bind parse_bind(std::string_view text, bool read_only, const Origin &origin);

/// PATH[:OPTIONS].
[[nodiscard]] Tmpfs parse_tmpfs(std::string_view text, const Origin &origin);

} // namespace berth
