// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads berth.toml(5).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace berth {

/// Reads TOML text into assignments, in the order of the file. `name` is what errors call it.
/// Throws Error "name:line:column: …" for broken TOML, unknown sections and keys (with the
/// nearest known one) and wrong types.
[[nodiscard]] std::vector<Assignment> read_toml(std::string_view text, const std::string &name);

/// A configuration file and how far it is to be trusted.
struct ConfigFile {
    std::filesystem::path path;
    bool trusted; ///< false beside an image: privileged settings in it are ignored
};

/// The file that configures `machine`: NAME.toml in /etc/berth, then /run/berth, then beside the
/// tree at `directory` (which may be empty). Nothing when there is none.
[[nodiscard]] std::optional<ConfigFile> find_config(std::string_view machine,
                                                    const std::filesystem::path &directory);

} // namespace berth
