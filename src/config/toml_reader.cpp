// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/toml_reader.hpp"

#include <algorithm>
#include <set>

#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.hpp>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace berth {

namespace {

class Reader {
public:
    explicit Reader(const std::string &name) : name_(name) {}

    std::vector<Assignment> read(std::string_view text) {
        toml::table root;
        try {
            root = toml::parse(text, std::string_view(name_));
        } catch (const toml::parse_error &error) {
            fail("{}: {}", at(error.source()), error.description());
        }
        for (auto &&[key, node] : root)
            read_section(key, node);
        // Tables are sorted by key; the file's order is what users expect.
        std::ranges::stable_sort(found_, {}, &Found::line);
        std::vector<Assignment> assignments;
        for (Found &found : found_)
            assignments.push_back(std::move(found.assignment));
        return assignments;
    }

private:
    struct Found {
        toml::source_index line;
        Assignment assignment;
    };

    [[nodiscard]] std::string at(const toml::source_region &region) const {
        return berth::format("{}:{}:{}", name_, region.begin.line, region.begin.column);
    }

    [[nodiscard]] static std::string hint(std::string_view word, const std::vector<std::string_view> &known) {
        const auto near = nearest(word, known);
        return near ? berth::format("; did you mean \"{}\"?", *near) : "";
    }

    void read_section(const toml::key &key, const toml::node &node) {
        std::set<std::string_view> sections;
        for (const Setting *setting : settings())
            if (!setting->section.empty())
                sections.insert(setting->section);
        if (!sections.contains(key.str()))
            fail("{}: unknown section [{}]{}", at(key.source()), key.str(),
                 hint(key.str(), {sections.begin(), sections.end()}));
        if (!node.is_table())
            fail("{}: \"{}\" is a section, not a setting: write [{}]", at(key.source()), key.str(),
                 key.str());
        for (auto &&[name, value] : *node.as_table())
            read_setting(key.str(), name, value);
    }

    void read_setting(std::string_view section, const toml::key &key, const toml::node &node) {
        const Setting *setting = find_setting(section, key.str());
        if (setting == nullptr) {
            std::vector<std::string_view> known;
            for (const Setting *other : settings())
                if (other->section == section && !other->key.empty())
                    known.push_back(other->key);
            fail("{}: unknown setting \"{}\" in [{}]{}", at(key.source()), key.str(), section,
                 hint(key.str(), known));
        }
        switch (setting->type) {
        case SettingType::boolean: {
            const auto value = node.value_exact<bool>();
            if (!value)
                wrong_type(*setting, node, "true or false");
            add(*setting, *value ? "yes" : "no", node);
            break;
        }
        case SettingType::text: add(*setting, text_of(*setting, node), node); break;
        case SettingType::list: read_list(*setting, node); break;
        case SettingType::mapping: read_mapping(*setting, node); break;
        }
    }

    void read_list(const Setting &setting, const toml::node &node) {
        if (const auto *array = node.as_array())
            for (const toml::node &element : *array)
                add(setting, string_of(setting, element, "a string, or an array of strings"), element);
        else
            add(setting, string_of(setting, node, "a string, or an array of strings"), node);
    }

    void read_mapping(const Setting &setting, const toml::node &node) {
        if (const auto *table = node.as_table()) {
            for (auto &&[key, value] : *table)
                add(setting, berth::format("{}={}", key.str(), text_of(setting, value)), value);
            return;
        }
        read_list(setting, node);
    }

    [[nodiscard]] std::string string_of(const Setting &setting, const toml::node &node,
                                        std::string_view wanted) {
        const auto value = node.value_exact<std::string>();
        if (!value)
            wrong_type(setting, node, wanted);
        if (value->contains('\0'))
            fail("{}: {} holds a NUL character", at(node.source()), setting.key);
        return *value;
    }

    [[nodiscard]] std::string text_of(const Setting &setting, const toml::node &node) {
        if (const auto number = node.value_exact<std::int64_t>())
            return std::to_string(*number);
        if (const auto truth = node.value_exact<bool>())
            return *truth ? "yes" : "no";
        return string_of(setting, node, "a string");
    }

    [[noreturn]] void wrong_type(const Setting &setting, const toml::node &node, std::string_view wanted) {
        std::string got(toml::impl::node_type_friendly_names[static_cast<std::size_t>(node.type())]);
        fail("{}: \"{}\" in [{}] takes {}, not {} {}", at(node.source()), setting.key, setting.section,
             wanted, std::string_view("aeiou").contains(got.front()) ? "an" : "a", got);
    }

    void add(const Setting &setting, std::string value, const toml::node &node) {
        found_.push_back({node.source().begin.line,
                          Assignment{.setting = &setting,
                                     .value = std::move(value),
                                     .origin = {berth::format("{}: {}", at(node.source()), setting.key)}}});
    }

    const std::string &name_;
    std::vector<Found> found_;
};

} // namespace

std::vector<Assignment> read_toml(std::string_view text, const std::string &name) {
    return Reader(name).read(text);
}

} // namespace berth
