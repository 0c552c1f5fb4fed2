// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/settings.hpp"

#include "base/error.hpp"
#include "config/settings_tables.hpp"

namespace berth {

std::vector<const Setting *> settings() {
    std::vector<const Setting *> all;
    for (const auto table : {tables::root(), tables::exec(), tables::limits(), tables::files(),
                             tables::network(), tables::unit()})
        for (const Setting &setting : table)
            all.push_back(&setting);
    return all;
}

const Setting *find_setting(std::string_view section, std::string_view key) {
    for (const Setting *setting : settings())
        if (!setting->key.empty() && setting->section == section && setting->key == key)
            return setting;
    return nullptr;
}

const Setting *find_option(std::string_view option) {
    for (const Setting *setting : settings())
        if (!setting->option.empty() && setting->option == option)
            return setting;
    return nullptr;
}

std::vector<std::string> words_of(const Setting &setting) {
    for (const auto &words : {tables::exec_words, tables::limits_words, tables::files_words, tables::unit_words})
        if (std::vector<std::string> found = words(setting.option); !found.empty())
            return found;
    return {};
}

std::string setting_name(const Setting &setting) {
    return setting.key.empty() ? "--" + std::string(setting.option)
                               : berth::format("{}.{}", setting.section, setting.key);
}

void apply(MachineConfig &config, std::span<const Assignment> assignments) {
    for (const Assignment &assignment : assignments) {
        try {
            assignment.setting->apply(config, assignment.value, assignment.origin);
        } catch (const Error &error) {
            throw Error(assignment.origin.text + ": " + error.what(), error.code());
        }
        config.origins[setting_name(*assignment.setting)] = assignment.origin;
    }
}

} // namespace berth
