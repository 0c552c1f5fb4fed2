// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/load.hpp"

#include <algorithm>
#include <format>
#include <iterator>

namespace berth {

namespace {

/// Removes from `losers` the settings that `winners` have.
void remove_overridden(std::vector<Assignment> &losers, const std::vector<Assignment> &winners) {
    std::erase_if(losers, [&](const Assignment &loser) {
        return std::ranges::contains(winners, loser.setting, &Assignment::setting);
    });
}

bool needs_trust(const Assignment &assignment) {
    switch (assignment.setting->trust) {
    case Trust::anyone: return false;
    case Trust::privileged: return true;
    case Trust::deny_list: return !assignment.value.starts_with('~');
    }
    return true;
}

} // namespace

std::vector<Assignment> effective(std::vector<Assignment> command_line, const std::optional<ConfigFile> &file,
                                  UseFiles use, const std::function<void(const std::string &)> &warn) {
    if (!file || use == UseFiles::no)
        return command_line;
    std::vector<Assignment> from_file = read_config(*file);
    MachineConfig whole;
    apply(whole, from_file);
    if (!file->trusted && use != UseFiles::trusted)
        std::erase_if(from_file, [&](const Assignment &assignment) {
            if (!needs_trust(assignment))
                return false;
            warn(
                std::format("{} is ignored: a file beside an image may not set it; move the file to {}",
                            assignment.origin.text,
                            file->format == ConfigFile::Format::toml ? "/etc/berth" : "/etc/systemd/nspawn"));
            return true;
        });
    const bool file_wins = use == UseFiles::override;
    remove_overridden(file_wins ? command_line : from_file, file_wins ? from_file : command_line);
    std::vector<Assignment> &first = file_wins ? command_line : from_file;
    std::ranges::move(file_wins ? from_file : command_line, std::back_inserter(first));
    return std::move(first);
}

MachineConfig load_config(std::vector<Assignment> command_line, const std::optional<ConfigFile> &file,
                          UseFiles use, const std::function<void(const std::string &)> &warn) {
    MachineConfig config;
    apply(config, effective(std::move(command_line), file, use, warn));
    return config;
}

} // namespace berth
