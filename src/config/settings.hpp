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
    text,    ///< a string; integers and truth values are taken as text
    list,    ///< an array of strings, or one string
    mapping, ///< a table of strings, or a list of "NAME=VALUE"
};

/// Who may set it. A file beside an image is one that nobody vouched for.
enum class Trust : std::uint8_t {
    anyone,
    privileged, ///< not a file beside the image
    deny_list,  ///< that file too, when the value only takes away ("~…")
};

struct Setting {
    std::string_view section; ///< of berth.toml(5); empty when the command line alone has it
    std::string_view key;
    /// The key in systemd.nspawn(5), whose section is ours with a capital; empty when it has none.
    /// With "*" at the end its value is a list of words, each of which is a value.
    std::string_view nspawn;
    std::string_view option; ///< long option without dashes; empty when only files have it
    char letter;             ///< short option, or 0
    SettingType type;
    /// What the option takes: "" for a switch, "[X]" when it may be left out, else its name in help.
    std::string_view argument;
    /// The value a switch stands for.
    std::string_view implied;
    Trust trust;
    std::string_view help;
    /// Puts one value into the config; called once per element of a list.
    /// Throws Error that says what is wrong with the value.
    void (*apply)(MachineConfig &config, std::string_view value, const Origin &origin);

    /// The key of systemd.nspawn(5) without the mark of a list.
    [[nodiscard]] std::string_view nspawn_key() const {
        return nspawn.ends_with('*') ? nspawn.substr(0, nspawn.size() - 1) : nspawn;
    }
    [[nodiscard]] bool takes_words() const { return nspawn.ends_with('*'); }
};

/// All settings, in the order of the manual. They live as long as the program.
[[nodiscard]] std::vector<const Setting *> settings();

/// The setting named `section`.`key`; nullptr when there is none.
[[nodiscard]] const Setting *find_setting(std::string_view section, std::string_view key);

/// The setting of the long option `option`; nullptr when there is none.
[[nodiscard]] const Setting *find_option(std::string_view option);

/// The words that an option takes, for "--OPTION=help"; empty where it takes others.
[[nodiscard]] std::vector<std::string> words_of(const Setting &setting);

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
