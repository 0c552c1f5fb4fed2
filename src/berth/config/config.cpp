// SPDX-License-Identifier: LGPL-2.1-or-later
// `berth config`: what configuration files say, and what comes of it.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/error.hpp"
#include "base/names.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "config/load.hpp"
#include "config/toml_writer.hpp"
#include "plan/plan.hpp"

namespace berth::cli {

namespace {

void print(const std::string &text) {
    std::fputs(text.c_str(), stdout);
}

/// Reads a file, and the values in it, whatever its place.
std::vector<Assignment> read_valid(const std::string &path) {
    std::vector<Assignment> found = read_config(config_file(path));
    MachineConfig config;
    berth::apply(config, found);
    return found;
}

int check(std::span<const std::string> files) {
    int status = 0;
    for (const std::string &file : files) {
        try {
            (void)read_valid(file);
            print(file + ": valid\n");
        } catch (const Error &error) {
            std::fprintf(stderr, "%s\n", error.what());
            status = 1;
        }
    }
    return status;
}

int convert(std::span<const std::string> files) {
    for (const std::string &file : files) {
        if (files.size() > 1)
            print("# " + file + "\n");
        print(write_toml(read_valid(file)));
    }
    return 0;
}

/// "/etc/berth/a.toml:3:8" of "/etc/berth/a.toml:3:8: boot".
std::string place_of(const Assignment &assignment) {
    const std::string &text = assignment.origin.text;
    const auto at = text.rfind(": ");
    return at == std::string::npos ? text : text.substr(0, at);
}

/// What is said again later in the file does not count, lists aside.
bool is_said_again(const Assignment &one, std::span<const Assignment> later) {
    const SettingType type = one.setting->type;
    return type != SettingType::list && type != SettingType::mapping
           && std::ranges::contains(later, one.setting, &Assignment::setting);
}

int show(const std::string &machine, const Settings &settings) {
    require_machine_name(machine);
    MachineConfig named;
    named.name = machine;
    const RootConfig root = with_root(named, host_facts()).root;
    const std::optional<ConfigFile> file =
        find_config(machine, root.directory.empty() ? root.image : root.directory);
    if (!file)
        fail("machine \"{}\" has no configuration: there is neither {}.toml in /etc/berth or /run/berth, nor "
             "{}.nspawn in /etc/systemd/nspawn or /run/systemd/nspawn, nor either beside its tree",
             machine, machine, machine);
    const std::vector<Assignment> found = effective({}, file, UseFiles::yes, [](const std::string &text) {
        std::fprintf(stderr, "warning: %s\n", text.c_str());
    });
    MachineConfig config;
    berth::apply(config, found);
    Table table({{"SETTING"}, {"VALUE"}, {"FROM"}});
    for (std::span<const Assignment> rest = found; !rest.empty(); rest = rest.subspan(1))
        if (!is_said_again(rest.front(), rest.subspan(1)))
            table.add({setting_name(*rest.front().setting), rest.front().value, place_of(rest.front())});
    table.print(settings, "settings");
    return 0;
}

} // namespace

int config(const Invocation &invocation) {
    const std::string &what = invocation.arguments[0];
    const std::span<const std::string> rest = std::span(invocation.arguments).subspan(1);
    if (what == "check")
        return check(rest);
    if (what == "convert")
        return convert(rest);
    if (what == "show") {
        if (rest.size() != 1)
            fail("berth config show takes one machine");
        return show(rest[0], invocation.settings);
    }
    fail("berth config {}: the choices are check, show and convert", what);
}

} // namespace berth::cli
