// SPDX-License-Identifier: LGPL-2.1-or-later
// Brings what files and command line say into one MachineConfig.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/config_file.hpp"
#include "config/settings.hpp"

namespace berth {

/// --settings= of systemd-nspawn(1): whose word counts.
enum class UseFiles : std::uint8_t {
    no,       ///< files are not read
    yes,      ///< the command line wins
    override, ///< the file wins
    trusted,  ///< the command line wins, and a file beside an image may set all there is
};

/// What counts of command line and file: whoever wins replaces the other's setting, lists included,
/// and with it those it goes with: what is run, mounts, links of the network, capabilities. Only what
/// the command line takes away from capabilities and, where the file is not trusted, from system calls
/// stays taken whoever wins. Privileged settings of an untrusted file are left out; `warn` is told
/// which. What is overridden must be valid all the same.
[[nodiscard]] std::vector<Assignment> effective(std::vector<Assignment> command_line,
                                                const std::optional<ConfigFile> &file, UseFiles use,
                                                const std::function<void(const std::string &)> &warn);

/// effective() as a MachineConfig.
[[nodiscard]] MachineConfig load_config(std::vector<Assignment> command_line,
                                        const std::optional<ConfigFile> &file, UseFiles use,
                                        const std::function<void(const std::string &)> &warn);

} // namespace berth
