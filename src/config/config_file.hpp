// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a machine's configuration is, and reading it whatever its format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace berth {

/// A configuration file and how far it is to be trusted.
struct ConfigFile {
    enum class Format : std::uint8_t { toml, nspawn };
    std::filesystem::path path;
    Format format = Format::toml;
    bool trusted = true; ///< false beside an image: privileged settings in it are ignored
};

/// The file at `path`, its format told by its name (.toml, .nspawn). Throws Error on other names.
[[nodiscard]] ConfigFile config_file(const std::filesystem::path &path);

/// The file that configures `machine`: the first there is of NAME.toml in /etc/berth and /run/berth,
/// NAME.nspawn in /etc/systemd/nspawn and /run/systemd/nspawn, and either of them beside the tree
/// at `tree` (which may be empty). Nothing when there is none.
[[nodiscard]] std::optional<ConfigFile> find_config(std::string_view machine,
                                                    const std::filesystem::path &tree);

/// What the file says. Throws Error naming file, line and setting.
[[nodiscard]] std::vector<Assignment> read_config(const ConfigFile &file);

} // namespace berth
