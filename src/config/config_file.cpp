// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/config_file.hpp"

#include <array>

#include "base/error.hpp"
#include "base/io.hpp"
#include "config/nspawn_reader.hpp"
#include "config/toml_reader.hpp"

namespace berth {

namespace fs = std::filesystem;

ConfigFile config_file(const fs::path &path) {
    if (path.extension() == ".toml")
        return {.path = path, .format = ConfigFile::Format::toml};
    if (path.extension() == ".nspawn")
        return {.path = path, .format = ConfigFile::Format::nspawn};
    fail("{}: the name of a configuration file ends in .toml or .nspawn", path.native());
}

std::optional<ConfigFile> find_config(std::string_view machine, const fs::path &tree) {
    struct Place {
        fs::path folder;
        const char *extension;
        bool trusted;
    };
    std::vector<Place> places{{"/etc/berth", ".toml", true},
                              {"/run/berth", ".toml", true},
                              {"/etc/systemd/nspawn", ".nspawn", true},
                              {"/run/systemd/nspawn", ".nspawn", true}};
    if (!tree.empty())
        for (const char *extension : {".toml", ".nspawn"})
            places.push_back({tree.parent_path(), extension, false});
    for (const Place &place : places) {
        const fs::path path = place.folder / (std::string(machine) + place.extension);
        if (!fs::exists(path))
            continue;
        ConfigFile found = config_file(path);
        found.trusted = place.trusted;
        return found;
    }
    return std::nullopt;
}

std::vector<Assignment> read_config(const ConfigFile &file) {
    const std::string text = read_regular_file(file.path);
    switch (file.format) {
    case ConfigFile::Format::toml: return read_toml(text, file.path.native());
    case ConfigFile::Format::nspawn: return read_nspawn(text, file.path.native());
    }
    fail("{}: unknown format", file.path.native());
}

} // namespace berth
