// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/toml_writer.hpp"

#include <sstream>

#define TOML_HEADER_ONLY 1
#include <toml++/toml.hpp>

#include "base/parse.hpp"

namespace berth {

namespace {

void put(toml::table &section, const Setting &setting, const std::string &value) {
    switch (setting.type) {
    case SettingType::boolean:
        section.insert_or_assign(setting.key, parse_bool(value).value_or(false));
        break;
    case SettingType::text: section.insert_or_assign(setting.key, value); break;
    case SettingType::list:
    case SettingType::mapping:
        if (!section.contains(setting.key))
            section.insert(setting.key, toml::array());
        section[setting.key].as_array()->push_back(value);
        break;
    }
}

} // namespace

std::string write_toml(const std::vector<Assignment> &assignments) {
    std::string text;
    std::vector<std::string_view> sections; // in the order of the manual
    for (const Setting *setting : settings())
        if (!setting->section.empty() && std::ranges::find(sections, setting->section) == sections.end())
            sections.push_back(setting->section);
    for (const std::string_view section : sections) {
        toml::table table;
        for (const Assignment &assignment : assignments)
            if (assignment.setting->section == section && !assignment.setting->key.empty())
                put(table, *assignment.setting, assignment.value);
        if (table.empty())
            continue;
        std::ostringstream out;
        out << toml::toml_formatter(table, toml::format_flags::none);
        text += std::string(text.empty() ? "" : "\n") + "[" + std::string(section) + "]\n" + out.str() + "\n";
    }
    return text;
}

} // namespace berth
