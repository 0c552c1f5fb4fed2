// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ns/list.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "berth/ns/machines.hpp"
#include "berth/ns/scan.hpp"
#include "cli/style.hpp"
#include "cli/table.hpp"

namespace berth::ns {

namespace {

/// Which machines are in which namespace.
std::map<Key, std::vector<std::string>> machines_by_namespace() {
    std::map<Key, std::vector<std::string>> found;
    std::vector<Machine> all;
    try {
        all = machines();
    } catch (const Error &error) { // the namespaces are there without berthd too
        cli::style::complain(std::string(error.what()) + "; machines are not told by name");
    }
    for (const Machine &machine : all) {
        std::vector<Key> keys;
        try {
            for (const Kind &kind : kinds())
                if (const auto id = id_of(machine.pid, kind))
                    keys.emplace_back(&kind, id->inode);
        } catch (const Error &) {
            continue; // it has ended
        }
        if (pidfd::has_exited(machine.leader.get()))
            continue;
        for (const Key &key : keys)
            found[key].push_back(machine.name);
    }
    return found;
}

struct Row {
    Key key;
    const Namespace &about;
    std::vector<std::string> machines;
    pid_t first = 0; ///< of the processes in it
    std::string command;
};

std::string command_of(pid_t pid) {
    try {
        return std::string(trim(read_file_if_there(berth::format("/proc/{}/comm", pid)).value_or("")));
    } catch (const Error &) {
        return {};
    }
}

std::string count(std::size_t number, std::string_view noun) {
    return berth::format("{} {}{}", number, noun, number == 1 ? "" : noun.ends_with("process") ? "es" : "s");
}

std::string pids_text(const std::set<pid_t> &pids) {
    std::string text;
    for (const pid_t pid : pids)
        text += berth::format("{}{}", text.empty() ? "" : " ", pid);
    return text;
}

/// A line for each thing that keeps it alive.
std::string held_by(const Namespace &about) {
    std::vector<std::string> lines;
    for (const std::string &name : about.names)
        lines.push_back("name " + name);
    for (const std::string &mount : about.mounts)
        lines.push_back("mount " + mount);
    if (!about.descriptors.empty())
        lines.push_back("open in " + pids_text(about.descriptors));
    if (!about.for_children.empty())
        lines.push_back("for children of " + pids_text(about.for_children));
    if (!about.processes.empty())
        lines.insert(lines.begin(), count(about.processes.size(), "process"));
    if (!about.namespaces.empty())
        lines.push_back(count(about.namespaces.size(), "namespace") + " below");
    std::string text;
    for (const std::string &line : lines)
        text += (text.empty() ? "" : "\n") + line;
    return text;
}

std::vector<std::string> words_of(const Row &row) {
    std::string machines;
    for (const std::string &name : row.machines)
        machines += (machines.empty() ? "" : ", ") + name;
    return {std::string(row.key.first->name),
            std::to_string(row.key.second),
            std::to_string(row.about.processes.size()),
            row.first == 0 ? "" : std::to_string(row.first),
            row.command,
            machines,
            held_by(row.about)};
}

Json json_of(const Row &row) {
    return {{"kind", row.key.first->name},
            {"inode", row.key.second},
            {"processes", row.about.processes.size()},
            {"pid", row.first == 0 ? Json(nullptr) : Json(row.first)},
            {"command", row.first == 0 ? Json(nullptr) : Json(row.command)},
            {"machines", row.machines},
            {"names", row.about.names},
            {"mounts", row.about.mounts},
            {"descriptors", row.about.descriptors},
            {"for_children", row.about.for_children},
            {"namespaces", row.about.namespaces}};
}

std::vector<Row> rows_of(const Namespaces &all) {
    auto machines = machines_by_namespace();
    std::vector<Row> rows;
    for (const auto &[key, about] : all) {
        const auto own = id_of(::getpid(), *key.first);
        if (own && own->inode == key.second && about.names.empty())
            continue;
        Row row{.key = key, .about = about, .machines = std::move(machines[key]), .command = {}};
        if (!about.processes.empty()) {
            row.first = *about.processes.begin();
            row.command = command_of(row.first);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

} // namespace

void list(const cli::Settings &settings) {
    const Namespaces all = scan();
    const std::vector<Row> rows = rows_of(all);
    if (settings.json()) {
        auto array = Json::array();
        for (const Row &row : rows)
            array.push_back(json_of(row));
        const bool pretty = settings.output == "json-pretty";
        const auto text = json_text(array, pretty);
        std::printf("%s\n", text.c_str());
        return;
    }
    cli::Table table({{"KIND"}, {"INODE"}, {"PROCESSES"}, {"PID"}, {"COMMAND"}, {"MACHINE"}, {"KEPT BY"}});
    for (const Row &row : rows)
        table.add(words_of(row));
    table.print(settings, "namespaces");
}

} // namespace berth::ns
