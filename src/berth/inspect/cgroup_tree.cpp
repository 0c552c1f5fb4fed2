// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/inspect/cgroup_tree.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "cli/style.hpp"
#include "kernel/cgroup.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

/// Deeper than systemd nests; a machine may nest as it likes.
constexpr int max_depth = 32;

fs::path directory_of(const std::string &group) {
    return cgroup::mount_point() / group.substr(1);
}

/// A control file's text; nothing when the controller is not there, or the group has gone.
std::optional<std::string> control(const fs::path &file) {
    try {
        auto text = read_file_if_there(file);
        if (text)
            text = std::string(trim(*text));
        return text;
    } catch (const Error &) {
        return std::nullopt;
    }
}

std::optional<std::uint64_t> number(const fs::path &file) {
    const auto text = control(file);
    return text ? parse_unsigned(*text) : std::nullopt; // "max" is no number
}

/// The value of `key` in a file of "key value" lines.
std::optional<std::uint64_t> keyed(const fs::path &file, std::string_view key) {
    for (const std::string &line : split(control(file).value_or(""), '\n'))
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ')
            return parse_unsigned(std::string_view(line).substr(key.size() + 1));
    return std::nullopt;
}

std::string with_quotes(std::string_view word) {
    if (!word.empty() && word.find_first_of(" \t\"'\\") == std::string_view::npos)
        return std::string(word);
    std::string text = "\"";
    for (const char c : word) {
        if (c == '"' || c == '\\')
            text += '\\';
        text += c;
    }
    return text + "\"";
}

std::string command_line(std::uint64_t pid) {
    auto text = control(berth::format("/proc/{}/cmdline", pid));
    while (text && text->ends_with('\0')) // also after a title that a process gave itself
        text->pop_back();
    if (!text || text->empty()) {
        const auto name = control(berth::format("/proc/{}/comm", pid));
        return name ? "[" + style::printable(*name) + "]" : "";
    }
    std::string line;
    for (const std::string &word : split(*text, '\0'))
        line += (line.empty() ? "" : " ") + with_quotes(word);
    return style::printable(line);
}

struct Node {
    std::string text;
    fs::path group; ///< empty for a process
};

std::vector<Node> nodes_of(const fs::path &group) {
    std::vector<std::uint64_t> pids;
    for (const std::string &line : split(control(group / "cgroup.procs").value_or(""), '\n'))
        if (const auto pid = parse_unsigned(line); pid && *pid != 0) // 0: not in our pid namespace
            pids.push_back(*pid);
    std::ranges::sort(pids);
    const std::size_t digits = pids.empty() ? 0 : std::to_string(pids.back()).size();
    std::vector<Node> nodes;
    for (const std::uint64_t pid : pids)
        nodes.push_back({.text = berth::format("{:>{}} {}", pid, digits, command_line(pid)), .group = {}});
    const std::size_t processes = nodes.size();
    std::error_code ignored;
    for (const fs::directory_entry &entry : fs::directory_iterator(group, ignored))
        if (entry.is_directory(ignored)
            && keyed(entry.path() / "cgroup.events", "populated").value_or(0) != 0)
            nodes.push_back(
                {.text = style::printable(entry.path().filename().native()), .group = entry.path()});
    std::ranges::sort(nodes.begin() + static_cast<std::ptrdiff_t>(processes), nodes.end(), {}, &Node::text);
    return nodes;
}

void add_tree(std::string &text, const fs::path &group, const std::string &indent, std::size_t columns,
              int depth) {
    const std::vector<Node> nodes = nodes_of(group);
    for (const Node &node : nodes) {
        const bool last = &node == &nodes.back();
        const std::string line = style::shortened(indent + (last ? "└─" : "├─") + node.text, columns);
        text += line + "\n";
        if (!node.group.empty() && depth < max_depth)
            add_tree(text, node.group, indent + (last ? "  " : "│ "), columns, depth + 1);
    }
}

} // namespace

std::string unit_cgroup(pid_t pid, std::string_view unit) {
    const std::string path = cgroup::path_of(pid);
    const std::string part = "/" + std::string(unit);
    for (auto at = path.find(part); !unit.empty() && at != std::string::npos; at = path.find(part, at + 1))
        if (const auto end = at + part.size(); end == path.size() || path[end] == '/')
            return path.substr(0, end);
    return path;
}

std::string cgroup_tree(const std::string &group, std::string_view indent, std::size_t columns) {
    std::string text;
    // A tab counts as the eight columns that it takes at most.
    const auto tabs = static_cast<std::size_t>(std::ranges::count(indent, '\t'));
    add_tree(text, directory_of(group), std::string(indent), columns - std::min(columns, tabs * 7), 0);
    return text;
}

Usage cgroup_usage(const std::string &group) {
    const fs::path directory = directory_of(group);
    return {.tasks = number(directory / "pids.current"),
            .tasks_limit = number(directory / "pids.max"),
            .memory = number(directory / "memory.current"),
            .memory_peak = number(directory / "memory.peak"),
            .memory_limit = number(directory / "memory.max"),
            .cpu = keyed(directory / "cpu.stat", "usage_usec")};
}

} // namespace berth::cli
