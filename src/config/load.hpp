// SPDX-License-Identifier: LGPL-2.1-or-later
// Brings what files and command line say into one MachineConfig.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "config/toml_reader.hpp"

namespace berth {

/// A setting given on the command line replaces the file's value, lists included. Privileged
/// settings of an untrusted file are left out; `warn` is told which.
[[nodiscard]] MachineConfig load_config(const std::vector<Assignment> &command_line,
                                        const std::optional<ConfigFile> &file,
                                        const std::function<void(const std::string &)> &warn);

} // namespace berth
