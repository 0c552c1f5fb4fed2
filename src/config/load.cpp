// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/load.hpp"

#include <algorithm>
#include <format>

#include "base/io.hpp"

namespace berth {

namespace {

/// Removes from `losers` the settings that `winners` have.
void remove_overridden(std::vector<Assignment> &losers, const std::vector<Assignment> &winners) {
    std::erase_if(losers, [&](const Assignment &loser) {
        return std::ranges::contains(winners, loser.setting, &Assignment::setting);
    });
}

} // namespace

MachineConfig load_config(const std::vector<Assignment> &command_line, const std::optional<ConfigFile> &file,
                          UseFiles use, const std::function<void(const std::string &)> &warn) {
    MachineConfig config;
    if (!file || use == UseFiles::no) {
        apply(config, command_line);
        return config;
    }
    std::vector<Assignment> from_file = read_toml(read_file(file->path), file->path.native());
    MachineConfig whole; // what is overridden must be valid all the same
    apply(whole, from_file);
    if (!file->trusted && use != UseFiles::trusted)
        std::erase_if(from_file, [&](const Assignment &assignment) {
            if (!assignment.setting->privileged)
                return false;
            warn(std::format(
                "{} is ignored: a file beside an image may not set it; move the file to /etc/berth",
                assignment.origin.text));
            return true;
        });
    std::vector<Assignment> given = command_line;
    const bool file_wins = use == UseFiles::override;
    remove_overridden(file_wins ? given : from_file, file_wins ? from_file : given);
    apply(config, file_wins ? given : from_file);
    apply(config, file_wins ? from_file : given);
    return config;
}

} // namespace berth
