// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/load.hpp"

#include <algorithm>
#include <format>

#include "base/io.hpp"

namespace berth {

MachineConfig load_config(const std::vector<Assignment> &command_line, const std::optional<ConfigFile> &file,
                          const std::function<void(const std::string &)> &warn) {
    MachineConfig config;
    if (file) {
        auto assignments = read_toml(read_file(file->path), file->path.native());
        MachineConfig whole; // what the command line overrides must be valid all the same
        apply(whole, assignments);
        std::erase_if(assignments, [&](const Assignment &assignment) {
            if (!file->trusted && assignment.setting->privileged) {
                warn(std::format("{} is ignored: a file beside an image may not set it; move the file to /etc/berth",
                                 assignment.origin.text));
                return true;
            }
            return std::ranges::any_of(command_line, [&](const Assignment &given) {
                return given.setting == assignment.setting;
            });
        });
        apply(config, assignments);
    }
    apply(config, command_line);
    return config;
}

} // namespace berth
