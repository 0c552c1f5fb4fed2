// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/host_state.hpp"
#include "base/format.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "base/io.hpp"
#include "base/parse.hpp"
#include "support/process.hpp"

namespace berth::test {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view cgroups = "/sys/fs/cgroup";

/// By then systemd and berthd have tidied up, on the slowest of hosts.
constexpr std::chrono::seconds settling{30};

void add_mounts(HostState &state) {
    for (const std::string &line : split(read_file("/proc/self/mountinfo"), '\n')) {
        const auto fields = split(line, ' ');
        if (fields.size() > 5)
            state.insert(berth::format("mount {} at {}", fields[3], fields[4]));
    }
}

/// Files come and go while we look; what is not there any more is not there.
void add_files(HostState &state, std::string_view kind, const fs::path &folder, const std::string &but_of) {
    std::error_code error;
    for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        std::error_code gone;
        if (kind == "cgroup" && !at->is_directory(gone))
            continue;
        if (at->path().extension() == ".lock" && at->is_regular_file(gone))
            continue; // made once, to be locked by all
        if (!but_of.empty() && at->path().native().contains(but_of)) {
            at.disable_recursion_pending();
            continue;
        }
        state.insert(berth::format("{} {}", kind, at->path().native()));
    }
}

std::string cgroup_of(const fs::path &process) {
    const auto text = read_file_if_there(process / "cgroup");
    if (!text)
        return {};
    for (const std::string &line : split(*text, '\n'))
        if (line.starts_with("0::"))
            return line.substr(3);
    return {};
}

/// Processes that are ours or of machines: in a machine's cgroup, in ours, or in a pid namespace
/// that is not the host's.
void add_processes(HostState &state, const std::string &but_of) {
    const std::string own_group = cgroup_of("/proc/self");
    const fs::path own_space = fs::read_symlink("/proc/self/ns/pid");
    for (const auto &entry : fs::directory_iterator("/proc")) {
        const std::string pid = entry.path().filename();
        if (!parse_unsigned(pid) || pid == std::to_string(::getpid()))
            continue;
        try {
            std::error_code gone;
            const fs::path space = fs::read_symlink(entry.path() / "ns/pid", gone);
            const std::string group = cgroup_of(entry.path());
            const bool ours =
                group == own_group || group.starts_with("/machine.slice") || (!gone && space != own_space);
            if (ours && (but_of.empty() || !group.contains(but_of)))
                state.insert(berth::format("process {} ({}) in {}", pid,
                                           trim(read_file_if_there(entry.path() / "comm").value_or("?")),
                                           group));
        } catch (const std::exception &) { // NOLINT(bugprone-empty-catch): it ended while we looked
        }
    }
}

void add_units(HostState &state, const std::string &but_of) {
    const Outcome listed =
        run({"systemctl", "list-units", "--all", "--plain", "--no-legend", "machine-*", "berth@*"});
    for (const std::string &line : split(listed.out, '\n')) {
        const auto fields = split(line, ' ');
        if (!fields[0].empty() && (but_of.empty() || !line.contains(but_of)) && fields[0] != "machine.slice")
            state.insert("unit " + fields[0]);
    }
}

void add_links(HostState &state, const std::string &but_of) {
    for (const auto &entry : fs::directory_iterator("/sys/class/net"))
        if (const std::string name = entry.path().filename(); but_of.empty() || !name.contains(but_of))
            state.insert("link " + name);
}

} // namespace

HostState host_state(const std::string &but_of) {
    HostState state;
    add_units(state, but_of);
    add_mounts(state);
    add_links(state, but_of);
    add_files(state, "cgroup", fs::path(cgroups) / "machine.slice", but_of);
    for (const char *folder : {"/run/systemd/machines", "/run/berth", "/var/lib/berth"})
        add_files(state, "file", folder, but_of);
    add_processes(state, but_of);
    return state;
}

void expect_host_as(const HostState &before, const std::string &but_of) {
    HostState after;
    if (eventually([&] { return (after = host_state(but_of)) == before; }, settling))
        return;
    std::vector<std::string> more;
    std::vector<std::string> less;
    std::ranges::set_difference(after, before, std::back_inserter(more));
    std::ranges::set_difference(before, after, std::back_inserter(less));
    for (const std::string &line : more)
        ADD_FAILURE() << "left behind: " << line;
    for (const std::string &line : less)
        ADD_FAILURE() << "gone: " << line;
}

} // namespace berth::test
