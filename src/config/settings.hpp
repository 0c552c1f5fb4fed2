// SPDX-License-Identifier: LGPL-2.1-or-later
// The table of all settings: each one's names in files and on the command line, and how its text
// becomes a field of MachineConfig. All readers work from this table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/machine_config.hpp"

namespace berth {

/// What a setting takes in a TOML file.
enum class SettingType : std::uint8_t {
    boolean,
    text,    ///< a string; integers are taken as text
    list,    ///< an array of strings, or one string
    mapping, ///< a table of strings, or a list of "NAME=VALUE"
};

struct Setting {
    std::string_view section; ///< of berth.toml(5); empty when the command line alone has it
    std::string_view key;
    std::string_view option; ///< long option without dashes; empty when only files have it
    char letter;             ///< short option, or 0
    SettingType type;
    /// What the option takes: "" for a switch, "[X]" when it may be left out, else its name in help.
    std::string_view argument;
    /// The value a switch stands for.
    std::string_view implied;
    /// True when a file beside the image, which nobody vouched for, may not set it.
    bool privileged;
    std::string_view help;
    /// Puts one value into the config; called once per element of a list.
    /// Throws Error that says what is wrong with the value.
    void (*apply)(MachineConfig &config, std::string_view value, const Origin &origin);
};

/// All settings, in the order of the manual.
[[nodiscard]] std::span<const Setting> settings();

/// The setting named `section`.`key`; nullptr when there is none.
[[nodiscard]] const Setting *find_setting(std::string_view section, std::string_view key);

/// "files.bind": the name of a setting in MachineConfig::origins.
[[nodiscard]] std::string setting_name(const Setting &setting);

/// One value as a reader found it.
struct Assignment {
    const Setting *setting;
    std::string value;
    Origin origin;
};

/// Applies `assignments` in order; an error names the origin.
void apply(MachineConfig &config, std::span<const Assignment> assignments);

} // namespace berth
