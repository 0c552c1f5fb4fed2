// SPDX-License-Identifier: LGPL-2.1-or-later
// A machine's control groups: what is delegated, what is counted and limited in each (cgroups(7)).
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "berth/inspect/cgroup_tree.hpp"
#include "berth/inspect/text.hpp"
#include "berth/inspect/topic.hpp"
#include "cli/format.hpp"
#include "cli/style.hpp"
#include "kernel/cgroup.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;
/// A machine may make as many groups, as deep in each other, as it likes; so many are shown.
constexpr std::size_t max_groups = 1000;
constexpr int max_depth = 32;

constexpr const char *missing = "not available";

/// The text of a control file; nothing where its controller is not there, or the group has gone.
std::optional<std::string> control(const fs::path &file) {
    try {
        auto text = read_file_if_there(file);
        return text ? std::optional(std::string(trim(*text))) : std::nullopt;
    } catch (const Error &error) {
        if (error.code() == EACCES || error.code() == EPERM)
            throw;
        return std::nullopt; // ENODEV: gone; EOPNOTSUPP: a threaded group
    }
}

std::optional<std::uint64_t> keyed(const fs::path &file, std::string_view key) {
    for (const std::string &line : split(control(file).value_or(""), '\n'))
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ')
            return parse_unsigned(std::string_view(line).substr(key.size() + 1));
    return std::nullopt;
}

/// A limit: a number, or "max" for none.
struct Limit {
    std::optional<std::uint64_t> value;
    bool available = false;
};

Limit limit(const fs::path &file) {
    const auto text = control(file);
    return {.value = text ? parse_unsigned(*text) : std::nullopt, .available = text.has_value()};
}

std::optional<std::uint64_t> number(const fs::path &file) {
    const auto text = control(file);
    return text ? parse_unsigned(*text) : std::nullopt;
}

struct Group {
    std::string name; ///< relative to the unit's; "." for that itself
    std::optional<std::uint64_t> processes;
    std::optional<std::uint64_t> memory;
    Limit memory_limit;
    std::optional<std::uint64_t> tasks;
    Limit tasks_limit;
    std::optional<std::uint64_t> cpu; ///< microseconds
    std::optional<bool> frozen;
};

std::optional<std::uint64_t> count_processes(const fs::path &group) {
    const auto text = control(group / "cgroup.procs");
    if (!text)
        return std::nullopt;
    return text->empty() ? 0 : static_cast<std::uint64_t>(std::ranges::count(*text, '\n')) + 1;
}

Group group_at(const fs::path &path, std::string name) {
    const auto frozen = keyed(path / "cgroup.events", "frozen");
    return {.name = std::move(name),
            .processes = count_processes(path),
            .memory = number(path / "memory.current"),
            .memory_limit = limit(path / "memory.max"),
            .tasks = number(path / "pids.current"),
            .tasks_limit = limit(path / "pids.max"),
            .cpu = keyed(path / "cpu.stat", "usage_usec"),
            .frozen = frozen ? std::optional(*frozen != 0) : std::nullopt};
}

/// `path` and what is below it, in order of names.
void collect(std::vector<Group> &groups, const fs::path &unit, const fs::path &path, int depth) {
    if (groups.size() > max_groups)
        return;
    groups.push_back(group_at(path, path == unit ? "." : path.lexically_relative(unit).native()));
    if (depth == max_depth)
        return;
    std::vector<fs::path> below;
    std::error_code ignored;
    for (const fs::directory_entry &entry : fs::directory_iterator(path, ignored))
        if (entry.is_directory(ignored))
            below.push_back(entry.path());
    std::ranges::sort(below);
    for (const fs::path &child : below)
        collect(groups, unit, child, depth + 1);
}

/// systemd marks what it has handed over: trusted.delegate for root, user.delegate for all.
std::optional<bool> marked_delegated(const fs::path &group) {
    std::array<char, 8> value{};
    for (const char *mark : {"trusted.delegate", "user.delegate"}) {
        const ssize_t size = ::getxattr(group.c_str(), mark, value.data(), value.size());
        if (size == 1)
            return value[0] == '1';
        if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != EPERM)
            return std::nullopt;
    }
    return false;
}

std::string words(const std::optional<std::string> &list) {
    if (!list)
        return missing;
    return list->empty() ? "none" : *list;
}

Json json_words(const std::optional<std::string> &list) {
    if (!list)
        return nullptr;
    auto found = split(*list, ' ');
    std::erase(found, "");
    return found;
}

template <class T> Json json_of(const std::optional<T> &value) {
    return value ? Json(*value) : Json(nullptr);
}

Json json_of(const Limit &limit) {
    return limit.value ? Json(*limit.value) : limit.available ? Json("max") : Json(nullptr);
}

std::string count_text(const std::optional<std::uint64_t> &value) {
    return value ? std::to_string(*value) : missing;
}

std::string usage_text(const std::optional<std::uint64_t> &value, const Limit &limit,
                       std::string (*text)(std::uint64_t)) {
    if (!value && !limit.available)
        return missing;
    return berth::format("{} of {}", value ? text(*value) : missing,
                         limit.value       ? text(*limit.value)
                         : limit.available ? "max"
                                           : missing);
}

std::string plain(std::uint64_t value) {
    return std::to_string(value);
}

std::vector<std::string> row_of(const Group &group) {
    return {group.name,
            count_text(group.processes),
            usage_text(group.memory, group.memory_limit, size_text),
            usage_text(group.tasks, group.tasks_limit, plain),
            group.cpu ? span_text(*group.cpu) : missing,
            group.frozen ? *group.frozen ? "yes" : "no" : missing};
}

Json json_of(const Group &group) {
    return {{"group", group.name},
            {"processes", json_of(group.processes)},
            {"memory", json_of(group.memory)},
            {"memory_max", json_of(group.memory_limit)},
            {"pids", json_of(group.tasks)},
            {"pids_max", json_of(group.tasks_limit)},
            {"cpu_usec", json_of(group.cpu)},
            {"frozen", json_of(group.frozen)}};
}

void add_line(Report &report, std::string_view title, std::string_view value) {
    report.text += berth::format("{:>18}: {}\n", title, value);
}

void add_unit(Report &report, const Subject &subject, const std::string &path, const fs::path &unit) {
    struct stat st{};
    if (::stat(unit.c_str(), &st) < 0)
        fail_errno("looking at the control group {}", unit.native());
    const auto delegated = marked_delegated(unit);
    const auto available = control(unit / "cgroup.controllers");
    const auto enabled = control(unit / "cgroup.subtree_control");
    const std::string group = "/" + unit.lexically_relative(cgroup::mount_point()).native();
    add_line(report, "leader in", style::printable(path));
    add_line(report, "unit", subject.unit.empty() ? "none" : subject.unit);
    add_line(report, "delegated",
             !delegated   ? missing
             : *delegated ? berth::format("{} and all below", group)
                          : "no");
    add_line(report, "controllers", words(available));
    add_line(report, "for subgroups", words(enabled));
    report.json["path"] = path;
    report.json["unit"] = subject.unit.empty() ? Json(nullptr) : Json(subject.unit);
    report.json["group"] = group;
    report.json["delegated"] = json_of(delegated);
    report.json["controllers"] = json_words(available);
    report.json["controllers_of_subgroups"] = json_words(enabled);
}

} // namespace

Report inspect_cgroup(const Subject &subject) {
    Report report;
    const std::string path = cgroup::path_of(subject.pid);
    const fs::path unit = cgroup::mount_point() / unit_cgroup(subject.pid, subject.unit).substr(1);
    add_unit(report, subject, path, unit);
    std::vector<Group> groups;
    collect(groups, unit, unit, 0);
    const bool more = groups.size() > max_groups;
    groups.resize(std::min(groups.size(), max_groups));
    std::vector<std::vector<std::string>> rows{
        {"GROUP", "PROCESSES", "MEMORY", "PIDS", "CPU TIME", "FROZEN"}};
    auto list = Json::array();
    for (const Group &group : groups) {
        rows.push_back(row_of(group));
        list.push_back(json_of(group));
    }
    report.text += aligned(rows);
    if (more)
        report.text += berth::format("(only the first {} groups are shown)\n", max_groups);
    report.json["groups"] = std::move(list);
    report.json["complete"] = !more;
    return report;
}

} // namespace berth::cli
