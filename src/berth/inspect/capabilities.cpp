// SPDX-License-Identifier: LGPL-2.1-or-later
// What a machine's leader may do, and what it or another gains from a file.
#include <charconv>
#include <map>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "berth/inspect/exec.hpp"
#include "berth/inspect/file.hpp"
#include "berth/inspect/text.hpp"
#include "berth/inspect/topic.hpp"
#include "berth/ns/kinds.hpp"
#include "cli/style.hpp"
#include "kernel/capabilities.hpp"

namespace berth::cli {

namespace {

using capabilities::Set;
using exec_rules::Caller;
/// An ordinary user: neither root nor the owner of any file that comes with a system.
constexpr uid_t ordinary = 65534;

struct Status {
    Caller leader; ///< IDs are ours here
    Set inheritable = 0;
};

/// The fields of /proc/PID/status.
std::map<std::string, std::string> status_of(const Subject &subject) {
    std::map<std::string, std::string> fields;
    for (const std::string &line : split(read_proc(subject, "status"), '\n'))
        if (const auto at = line.find(":\t"); at != std::string::npos)
            fields.emplace(line.substr(0, at), line.substr(at + 2));
    return fields;
}

Set set_of(const std::map<std::string, std::string> &fields, const char *name) {
    const auto found = fields.find(name);
    Set set = 0;
    if (found == fields.end()
        || std::from_chars(found->second.data(), found->second.data() + found->second.size(), set, 16).ec
               != std::errc())
        fail("the leader's status in /proc has no {}", name);
    return set;
}

uid_t id_of(const std::map<std::string, std::string> &fields, const char *name) {
    const auto found = fields.find(name); // real, effective, saved, file system
    const auto ids = found == fields.end() ? std::vector<std::string>() : split(found->second, '\t');
    const auto id = ids.size() < 2 ? std::nullopt : parse_unsigned(ids[1]);
    if (!id)
        fail("the leader's status in /proc has no {}", name);
    return static_cast<uid_t>(*id);
}

Caller leader_of(const Subject &subject) {
    const auto fields = status_of(subject);
    Caller leader{.uid = id_of(fields, "Uid"),
                  .gid = id_of(fields, "Gid"),
                  .sets = {.permitted = set_of(fields, "CapPrm"),
                           .effective = set_of(fields, "CapEff"),
                           .inheritable = set_of(fields, "CapInh"),
                           .ambient = set_of(fields, "CapAmb")},
                  .bounding = set_of(fields, "CapBnd"),
                  .no_new_privileges = false};
    const auto found = fields.find("NoNewPrivs");
    leader.no_new_privileges = found != fields.end() && found->second == "1";
    return leader;
}

std::vector<std::string> with_sign(char sign, Set set) {
    std::vector<std::string> words = capabilities::names(set);
    for (std::string &word : words)
        word.insert(word.begin(), sign);
    return words;
}

void add_sets(Report &report, const Caller &leader) {
    const std::vector<std::pair<const char *, Set>> sets{{"bounding", leader.bounding},
                                                         {"permitted", leader.sets.permitted},
                                                         {"effective", leader.sets.effective},
                                                         {"inheritable", leader.sets.inheritable},
                                                         {"ambient", leader.sets.ambient}};
    for (const auto &[name, set] : sets) {
        const std::vector<std::string> words = capabilities::names(set);
        report.text += wrapped(berth::format("{:>12}: ", name), words, style::columns());
        report.json[name] = words;
    }
}

/// How the bounding set differs from what a machine with such a network keeps by default.
void add_difference(Report &report, const Subject &subject, const Caller &leader) {
    const ns::Kind &net = *ns::find_kind("net");
    const bool own_network = ns::id_of(1, net) != ns::id_of(subject.pid, net);
    const Set usual = capabilities::default_bounding(own_network);
    const Set more = leader.bounding & ~usual;
    const Set less = usual & ~leader.bounding;
    const Set not_ours_to_give = less & ~capabilities::bounding_of(1);
    std::vector<std::string> words = with_sign('+', more);
    for (std::string &word : with_sign('-', less))
        words.push_back(std::move(word));
    report.text += wrapped(berth::format("{:>12}: ", "to default"), words, style::columns());
    if (not_ours_to_give != 0)
        report.text += wrapped(berth::format("{:>12}: the host itself lacks ", "of these"),
                               capabilities::names(not_ours_to_give), style::columns());
    report.json["added"] = capabilities::names(more);
    report.json["removed"] = capabilities::names(less);
    report.json["missing_on_host"] = capabilities::names(not_ours_to_give);
}

void add_flags(Report &report, const Caller &leader) {
    report.text += berth::format("{:>12}: {}\n", "no_new_privs", leader.no_new_privileges ? "yes" : "no");
    report.text += berth::format("{:>12}: not available (the kernel tells them to the process itself only)\n",
                                 "securebits");
    report.json["no_new_privileges"] = leader.no_new_privileges;
    report.json["securebits"] = nullptr;
}

Json json_of(const exec_rules::Outcome &outcome) {
    Json json{{"refused", outcome.refused}};
    if (!outcome.refused) {
        json["uid"] = outcome.uid;
        json["gid"] = outcome.gid;
        json["permitted"] = capabilities::names(outcome.sets.permitted);
        json["effective"] = capabilities::names(outcome.sets.effective);
        json["inheritable"] = capabilities::names(outcome.sets.inheritable);
        json["ambient"] = capabilities::names(outcome.sets.ambient);
        json["gained"] = capabilities::names(outcome.gained);
    }
    json["steps"] = outcome.lines;
    return json;
}

void add_run(Report &report, const char *who, const Caller &caller, const exec_rules::File &file) {
    const exec_rules::Outcome outcome = exec_rules::run(caller, file);
    report.text += berth::format("run by {} (uid {}):\n", who, caller.uid);
    for (const std::string &line : outcome.lines) {
        const auto at = line.find(": ") != std::string::npos && !line.contains(" = ") ? line.find(": ") + 2
                                                                                      : line.find(" = ") + 3;
        const auto words = split(std::string_view(line).substr(at), ' ');
        report.text += wrapped("  " + line.substr(0, at), words, style::columns());
    }
    if (!outcome.refused)
        report.text += wrapped("  gains: ", with_sign('+', outcome.gained), style::columns());
    report.json["file"][who] = json_of(outcome);
}

std::string id_text(const std::optional<std::uint32_t> &id) {
    return id ? std::to_string(*id) : "nobody";
}

void describe(Report &report, const Subject &subject, const InspectedFile &file) {
    report.text +=
        berth::format("\n{}: mode {}, owner {}:{}{}{}\n", style::printable(subject.file), file.mode,
                      id_text(file.owner), id_text(file.group), file.nosuid ? ", on a nosuid mount" : "",
                      file.executable ? "" : ", not executable: nobody can run it");
    Json json{{"path", subject.file}, {"mode", file.mode}, {"nosuid", file.nosuid}, {"script", file.script}};
    json["owner"] = file.owner ? Json(*file.owner) : Json(nullptr);
    json["group"] = file.group ? Json(*file.group) : Json(nullptr);
    json["capabilities"] = nullptr;
    if (const auto &has = file.rules.capabilities; has) {
        const std::string version = !file.root_id        ? "not ours to see"
                                    : *file.root_id == 0 ? "version 2"
                                                         : "version 3";
        report.text += berth::format("security.capability: {}, root is {}\n", version, file.relation);
        json["capabilities"] = {{"permitted", capabilities::names(has->permitted)},
                                {"inheritable", capabilities::names(has->inheritable)},
                                {"effective", has->effective},
                                {"rootid", file.root_id ? Json(*file.root_id) : Json(nullptr)},
                                {"counts", has->ignored.empty()}};
    }
    report.json["file"] = std::move(json);
}

/// Root of the machine, and a user, as they come about when the leader starts them.
void add_file(Report &report, const Subject &subject, const Caller &leader) {
    const InspectedFile file = look_at_file(subject);
    describe(report, subject, file);
    Caller root = leader;
    root.uid = root.gid = 0;
    root.sets.permitted = root.sets.effective = leader.bounding;
    add_run(report, "root", root, file.rules);
    Caller user = leader;
    user.uid = user.gid = ordinary;
    user.sets.permitted = user.sets.effective = user.sets.ambient = 0; // gone when root became him
    add_run(report, "user", user, file.rules);
}

} // namespace

Report inspect_capabilities(const Subject &subject) {
    Report report;
    const Caller leader = leader_of(subject);
    add_sets(report, leader);
    add_difference(report, subject, leader);
    add_flags(report, leader);
    if (!subject.file.empty())
        add_file(report, subject, leader);
    return report;
}

} // namespace berth::cli
