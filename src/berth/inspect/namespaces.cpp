// SPDX-License-Identifier: LGPL-2.1-or-later
// Which namespaces a machine is in, and who else is in them.
#include <optional>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "berth/inspect/id_map.hpp"
#include "berth/inspect/text.hpp"
#include "berth/inspect/topic.hpp"
#include "berth/ns/kinds.hpp"
#include "berth/ns/machines.hpp"

namespace berth::cli {

namespace {

/// Other machines that are in the namespace; one that ends meanwhile does not count.
std::vector<std::string> machines_in(const std::vector<ns::Machine> &machines, const Subject &subject,
                                     const ns::Kind &kind, const ns::Id &id) {
    std::vector<std::string> names;
    for (const ns::Machine &machine : machines) {
        if (machine.name == subject.name)
            continue;
        try {
            if (ns::id_of(machine.pid, kind) == id && !pidfd::has_exited(machine.leader.get()))
                names.push_back(machine.name);
        } catch (const Error &) { // NOLINT(bugprone-empty-catch): it has ended
        }
    }
    return names;
}

/// The user namespace that owns another, in words.
std::string owner_text(const std::optional<ns::Id> &owner, const Subject &subject) {
    if (!owner)
        return "nobody in sight";
    const ns::Kind &user = *ns::find_kind("user");
    if (owner == ns::id_of(1, user))
        return berth::format("{} (the host's)", owner->inode);
    if (owner == ns::id_of(subject.pid, user))
        return berth::format("{} (the machine's)", owner->inode);
    return std::to_string(owner->inode);
}

std::string sharing_text(bool is_host, bool with_host, const std::vector<std::string> &machines) {
    std::vector<std::string> others = machines;
    if (with_host && !is_host)
        others.insert(others.begin(), "the host");
    return others.empty() ? "nobody" : joined(others);
}

struct Table {
    std::vector<std::vector<std::string>> rows{{"KIND", "INODE", "SHARED WITH", "OWNED BY"}};
    Json json = Json::array();
};

Json json_of(const id_map::Map &map) {
    auto ranges = Json::array();
    for (const id_map::Range &range : map)
        ranges.push_back({{"inside", range.inside}, {"outside", range.outside}, {"count", range.count}});
    return ranges;
}

std::string add_maps(const Subject &subject, int user_namespace, Json &json) {
    const id_map::Map users = id_map::parse(read_proc(subject, "uid_map"));
    const id_map::Map groups = id_map::parse(read_proc(subject, "gid_map"));
    const uid_t creator = ns::creator_of(user_namespace);
    json["uid_map"] = json_of(users);
    json["gid_map"] = json_of(groups);
    json["creator"] = creator;
    std::string text = berth::format("user: made by user {}\n", creator);
    for (const auto &[map, what] : {std::pair(&users, "users"), std::pair(&groups, "groups")})
        for (const std::string &line : in_words(*map, what))
            text += "  " + line + "\n";
    return text;
}

/// Lines of "clock seconds nanoseconds" (time_namespaces(7)): those of the namespace for children,
/// which after an exec is the process's own.
std::string add_offsets(const Subject &subject, Json &json) {
    std::string text;
    auto offsets = Json::object();
    for (const std::string &line : split(read_proc(subject, "timens_offsets"), '\n')) {
        std::vector<std::string> words = split(line, ' ');
        std::erase(words, "");
        if (words.size() != 3)
            continue;
        const double seconds = std::stod(words[1]) + std::stod(words[2]) / 1e9;
        offsets[words[0]] = seconds;
        text += seconds == 0
                    ? berth::format("time: {} clock as that of the kernel\n", words[0])
                    : berth::format("time: {} clock {:.9g}s {} that of the kernel\n", words[0],
                                    seconds < 0 ? -seconds : seconds, seconds < 0 ? "behind" : "ahead of");
    }
    json["offsets"] = offsets;
    return text;
}

/// Adds a row for `kind`; returns what there is to tell beside it.
std::string add(Table &table, const Subject &subject, const ns::Kind &kind,
                const std::vector<ns::Machine> &machines) {
    const unique_fd fd = ns::open(subject.pid, kind);
    if (!fd) {
        table.rows.push_back({std::string(kind.name), "not available", "", ""});
        table.json.push_back({{"kind", kind.name}, {"inode", nullptr}});
        return {};
    }
    const ns::Id id = ns::id_of(fd.get());
    const unique_fd owner = ns::owner_of(fd.get());
    const auto owner_id = owner ? std::optional(ns::id_of(owner.get())) : std::nullopt;
    const bool with_host = ns::id_of(1, kind) == id;
    const std::vector<std::string> sharers = machines_in(machines, subject, kind, id);
    table.rows.push_back({std::string(kind.name), std::to_string(id.inode),
                          sharing_text(subject.is_host, with_host, sharers), owner_text(owner_id, subject)});
    Json row{{"kind", kind.name},
             {"inode", id.inode},
             {"host", with_host},
             {"machines", sharers},
             {"owner", owner_id ? Json(owner_id->inode) : Json(nullptr)}};
    std::string more;
    if (kind.name == "user")
        more = add_maps(subject, fd.get(), row);
    else if (kind.name == "time")
        more = add_offsets(subject, row);
    table.json.push_back(std::move(row));
    return more;
}

} // namespace

Report inspect_namespaces(const Subject &subject) {
    Table table;
    std::string more;
    (void)ns::id_of(subject.pid, ns::kinds().front()); // who may not see it need not ask for others
    const std::vector<ns::Machine> machines = ns::machines();
    for (const ns::Kind &kind : ns::kinds())
        more += add(table, subject, kind, machines);
    return {.text = aligned(table.rows) + more, .json = std::move(table.json)};
}

} // namespace berth::cli
