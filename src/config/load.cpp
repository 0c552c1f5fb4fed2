// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/load.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace berth {

using namespace std::string_view_literals;

namespace {

/// Settings that say one thing together: whoever has one of them has the say over all, as in
/// systemd-nspawn(1).
enum class Group : std::uint8_t {
    alone,        ///< of no group
    start,        ///< what is run
    mounts,       ///< what is mounted into the tree
    network,      ///< which network, and its links
    capabilities, ///< what is added and dropped
};

Group group_of(const Setting &setting) {
    constexpr std::array exec{
        std::pair{"boot"sv, Group::start},
        std::pair{"process_two"sv, Group::start},
        std::pair{"parameters"sv, Group::start},
        std::pair{"capability"sv, Group::capabilities},
        std::pair{"drop_capability"sv, Group::capabilities},
        std::pair{"ambient_capability"sv, Group::capabilities},
    };
    constexpr std::array mounts{"bind"sv,         "bind_read_only"sv, "temporary_file_system"sv,
                                "inaccessible"sv, "overlay"sv,        "overlay_read_only"sv};
    if (setting.section == "exec") {
        const auto *const found =
            std::ranges::find(exec, setting.key, &std::pair<std::string_view, Group>::first);
        return found != exec.end() ? found->second : Group::alone;
    }
    if (setting.section == "files" && std::ranges::contains(mounts, setting.key))
        return Group::mounts;
    return setting.section == "network" && setting.key != "port" ? Group::network : Group::alone;
}

bool same_group(const Setting &one, const Setting &other) {
    return &one == &other || (group_of(one) != Group::alone && group_of(one) == group_of(other));
}

/// Whether a file that overrides takes `loser` from the command line by its `winner`.
bool file_replaces(const Assignment &winner, const Assignment &loser, bool trusted) {
    if (group_of(*winner.setting) == Group::capabilities)
        return false; // what the command line drops stays dropped
    if (!trusted && winner.setting->trust == Trust::deny_list)
        return false; // and what it filters
    if (group_of(*winner.setting) == Group::start && winner.setting->key == "parameters")
        return winner.setting == loser.setting; // they go to an init, too
    return same_group(*winner.setting, *loser.setting);
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
    berth::apply(whole, from_file);
    if (!file->trusted && use != UseFiles::trusted)
        std::erase_if(from_file, [&](const Assignment &assignment) {
            if (!needs_trust(assignment))
                return false;
            warn(berth::format("{} is ignored: a file beside an image may not set it; move the file to {}",
                               assignment.origin.text,
                               file->format == ConfigFile::Format::toml ? "/etc/berth"
                                                                        : "/etc/systemd/nspawn"));
            return true;
        });
    if (use == UseFiles::override) {
        std::erase_if(command_line, [&](const Assignment &loser) {
            return std::ranges::any_of(from_file, [&](const Assignment &winner) {
                return file_replaces(winner, loser, file->trusted);
            });
        });
        std::ranges::move(from_file, std::back_inserter(command_line));
        return command_line;
    }
    std::erase_if(from_file, [&](const Assignment &loser) {
        return std::ranges::any_of(command_line, [&](const Assignment &winner) {
            // --as-pid2 says how the command is run; which one it is the file may say (systemd#7428).
            const bool how = winner.setting->key == "process_two" && loser.setting->key == "parameters";
            return same_group(*winner.setting, *loser.setting) && !how;
        });
    });
    std::ranges::move(command_line, std::back_inserter(from_file));
    return from_file;
}

MachineConfig load_config(std::vector<Assignment> command_line, const std::optional<ConfigFile> &file,
                          UseFiles use, const std::function<void(const std::string &)> &warn) {
    MachineConfig config;
    berth::apply(config, effective(std::move(command_line), file, use, warn));
    return config;
}

} // namespace berth
