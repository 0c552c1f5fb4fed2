// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "plan/parts.hpp"

namespace berth::plan_parts {

namespace fs = std::filesystem;

namespace {

using Kind = MountConfig::Kind;

/// Resolves the symlinks of a host path; false when an optional one is missing.
bool resolve(const MountConfig &mount, std::string &path) {
    std::error_code error;
    const fs::path resolved = fs::canonical(path, error);
    if (error && mount.optional && error == std::errc::no_such_file_or_directory)
        return false;
    if (error)
        fail_code(error.value(), "{}: {}", mount.origin.text, path);
    path = resolved.native();
    return true;
}

/// True when all sources on the host are there.
bool resolve_sources(MountPlan &mount) {
    return std::ranges::all_of(mount.sources, [&](MountConfig::Source &source) {
        return source.inside || source.path.empty() || resolve(mount, source.path);
    });
}

void add_volatile(const MachineConfig &config, std::vector<MountPlan> &mounts) {
    const auto given = config.origins.find("files.volatile");
    const Origin origin = given != config.origins.end() ? given->second : Origin{"--volatile"};
    if (config.root.volatile_mode == Volatile::state)
        mounts.push_back({.kind = Kind::tmpfs, .destination = "/var", .origin = origin});
    if (config.root.volatile_mode == Volatile::yes)
        mounts.push_back({.kind = Kind::bind,
                          .sources = {{.path = "/usr", .inside = true}},
                          .destination = "/usr",
                          .read_only = true,
                          .origin = origin});
}

} // namespace

std::vector<MountPlan> mounts(const MachineConfig &config) {
    std::vector<MountPlan> mounts;
    add_volatile(config, mounts);
    for (MountPlan mount : config.mounts) {
        if (resolve_sources(mount))
            mounts.push_back(std::move(mount));
    }
    std::ranges::stable_sort(mounts, [](const MountPlan &a, const MountPlan &b) {
        return fs::path(a.destination) < fs::path(b.destination); // by component: parents first
    });
    return mounts;
}

} // namespace berth::plan_parts
