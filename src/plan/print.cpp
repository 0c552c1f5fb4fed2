// SPDX-License-Identifier: LGPL-2.1-or-later
// A plan as text and as JSON: one model of it, two renderings.
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <utility>

#include "base/format.hpp"
#include "base/json.hpp"
#include "kernel/namespaces.hpp"
#include "plan/plan.hpp"

namespace berth {

namespace {

std::string_view name_of(ExecMode mode) {
    switch (mode) {
    case ExecMode::command: return "command";
    case ExecMode::pid2: return "as-pid2";
    case ExecMode::boot: return "boot";
    }
    return "";
}

std::string_view name_of(NotifyReady ready) {
    switch (ready) {
    case NotifyReady::no: return "no";
    case NotifyReady::yes: return "yes";
    case NotifyReady::automatic: return "auto";
    }
    return "";
}

std::string_view name_of(Upper::Kind kind) {
    switch (kind) {
    case Upper::Kind::none: return "none";
    case Upper::Kind::ephemeral: return "ephemeral";
    case Upper::Kind::persistent: return "persistent";
    case Upper::Kind::path: return "path";
    }
    return "";
}

std::string_view name_of(ConsoleMode mode) {
    switch (mode) {
    case ConsoleMode::automatic: return "automatic";
    case ConsoleMode::interactive: return "interactive";
    case ConsoleMode::read_only: return "read-only";
    case ConsoleMode::passive: return "passive";
    case ConsoleMode::pipe: return "pipe";
    case ConsoleMode::autopipe: return "autopipe";
    }
    return "";
}

std::string_view name_of(MountPlan::Kind kind) {
    switch (kind) {
    case MountPlan::Kind::bind: return "bind";
    case MountPlan::Kind::tmpfs: return "tmpfs";
    case MountPlan::Kind::inaccessible: return "inaccessible";
    case MountPlan::Kind::overlay: return "overlay";
    }
    return "";
}

std::string_view name_of(IdMap map) {
    switch (map) {
    case IdMap::none: return "noidmap";
    case IdMap::idmap: return "idmap";
    case IdMap::rootidmap: return "rootidmap";
    case IdMap::owneridmap: return "owneridmap";
    }
    return "";
}

std::string_view name_of(UsersConfig::Ownership ownership) {
    switch (ownership) {
    case UsersConfig::Ownership::automatic: return "auto";
    case UsersConfig::Ownership::off: return "off";
    case UsersConfig::Ownership::chown: return "chown";
    case UsersConfig::Ownership::map: return "map";
    }
    return "";
}

/// As systemd-nspawn(1) writes sources: "+" for one inside, nothing for a temporary directory.
Json sources_of(const MountPlan &mount) {
    Json sources = Json::array();
    for (const MountConfig::Source &source : mount.sources)
        sources.push_back((source.inside ? "+" : "") + source.path);
    return sources;
}

Json model(const MountPlan &mount) {
    Json made{{"type", name_of(mount.kind)}, {"destination", mount.destination}};
    if (mount.kind == MountPlan::Kind::bind) {
        made["source"] = sources_of(mount)[0];
        made["recursive"] = mount.recursive;
        made["users"] = name_of(mount.id_map);
    }
    if (mount.kind == MountPlan::Kind::overlay)
        made["layers"] = sources_of(mount);
    if (mount.kind == MountPlan::Kind::tmpfs)
        made["options"] = mount.options;
    made["readOnly"] = mount.read_only;
    made["origin"] = mount.origin.text;
    return made;
}

Json model(const UsersPlan &users) {
    if (!users.enabled)
        return {{"private", false}};
    Json bound = Json::array();
    for (const BindUser &user : users.bound)
        bound.push_back(user.name);
    return {{"private", true},
            {"base", users.pick ? Json("picked at the start") : Json(users.base)},
            {"count", users.count},
            {"ownership", name_of(users.ownership)},
            {"bound", bound}};
}

Json model(const ProcessPlan &process) {
    Json limits = Json::object();
    for (const ResourceLimit &limit : process.limits)
        limits[std::to_string(limit.resource)] = {limit.soft, limit.hard};
    return {{"limits", limits},
            {"oomScoreAdjust", process.oom_score_adjust ? Json(*process.oom_score_adjust) : Json()},
            {"cpuAffinity", process.cpu_affinity},
            {"personality", process.personality ? Json(*process.personality) : Json()},
            {"ambient", capabilities::names(process.ambient)},
            {"noNewPrivileges", process.no_new_privileges},
            {"systemCallFilter", process.system_call_filter},
            {"suppressSync", process.suppress_sync}};
}

Json attributes_of(unsigned attributes) {
    Json words = Json::array();
    for (const auto &[flag, word] : {std::pair{MOUNT_ATTR_RDONLY, "ro"},
                                     {MOUNT_ATTR_NOSUID, "nosuid"},
                                     {MOUNT_ATTR_NODEV, "nodev"},
                                     {MOUNT_ATTR_NOEXEC, "noexec"},
                                     {MOUNT_ATTR_STRICTATIME, "strictatime"}})
        if ((attributes & static_cast<unsigned>(flag)) != 0)
            words.push_back(word);
    return words;
}

std::string_view name_of(CoverPlan::Kind kind) {
    switch (kind) {
    case CoverPlan::Kind::read_only: return "read-only";
    case CoverPlan::Kind::writable: return "writable";
    case CoverPlan::Kind::inaccessible: return "inaccessible";
    case CoverPlan::Kind::fifo: return "fifo";
    case CoverPlan::Kind::text: return "text";
    }
    return "";
}

Json model(const ApiPlan &api) {
    Json filesystems = Json::array();
    for (const FilesystemPlan &made : api.filesystems) {
        Json options = Json::object();
        for (const auto &[key, value] : made.options)
            options[key] = value;
        filesystems.push_back({{"path", made.path},
                               {"type", made.type},
                               {"options", options},
                               {"attributes", attributes_of(made.attributes)},
                               {"origin", made.origin}});
    }
    Json covers = Json::array();
    for (const CoverPlan &cover : api.covers)
        covers.push_back({{"path", cover.path},
                          {"type", name_of(cover.kind)},
                          {"ofHostRoot", cover.of_host_root},
                          {"origin", cover.origin}});
    Json devices = Json::array();
    for (const DevicePlan &node : api.devices)
        devices.push_back({{"path", node.path},
                           {"type", S_ISBLK(node.mode) ? "block" : "char"},
                           {"major", node.major},
                           {"minor", node.minor},
                           {"mode", berth::format("{:04o}", node.mode & 07777)},
                           {"origin", node.origin}});
    Json links = Json::object();
    for (const LinkPlan &link : api.links)
        links[link.path] = link.target;
    return {{"filesystems", filesystems},
            {"covers", covers},
            {"devices", devices},
            {"links", links},
            {"propagation", (api.propagation & MS_SHARED) != 0 ? "shared" : "as it is"}};
}

Json model(const LaunchPlan &plan) {
    Json mounts = Json::array();
    for (const MountPlan &mount : plan.mounts)
        mounts.push_back(model(mount));
    Json environment = Json::object();
    for (const auto &[name, value] : plan.environment)
        environment[name] = value;
    Json root{{"type", plan.root.is_overlay() ? "overlay" : "directory"},
              {"layers", plan.root.layers},
              {"upper", name_of(plan.root.upper)},
              {"readOnly", plan.root.read_only}};
    if (!plan.root.upper_directory.empty())
        root["upperDirectory"] = plan.root.upper_directory;
    if (!plan.root.image.empty())
        root["image"] = plan.root.image;
    if (plan.root.image_policy)
        root["imagePolicy"] = *plan.root.image_policy;
    const auto text = [](const std::string &value) { return value.empty() ? Json() : Json(value); };
    Json origins = Json::object();
    for (const auto &[setting, origin] : plan.origins)
        origins[setting] = origin;
    return Json{{"name", plan.name},
                {"hostname", plan.hostname},
                {"machineId", plan.machine_id},
                {"root", root},
                {"users", model(plan.users)},
                {"api", model(plan.api)},
                {"mounts", mounts},
                {"network", Json(plan.network)},
                {"namespaces", namespaces::names(plan.namespaces | CLONE_NEWCGROUP)},
                {"boundingSet", capabilities::names(plan.bounding)},
                {"process", model(plan.process)},
                {"mode", name_of(plan.mode)},
                {"command", plan.command},
                {"environment", environment},
                {"user", text(plan.user)},
                {"workingDirectory", text(plan.working_directory)},
                {"killSignal", plan.kill_signal != 0 ? Json(plan.kill_signal) : Json()},
                {"notifyReady", name_of(plan.notify_ready)},
                {"console", name_of(plan.console)},
                {"background", text(plan.background)},
                {"unit",
                 {{"register", plan.unit.register_machine},
                  {"keepUnit", plan.unit.keep_unit},
                  {"scope", text(plan.unit.scope)},
                  {"slice", text(plan.unit.slice)},
                  {"properties", plan.unit.properties}}},
                {"origins", origins}};
}

std::string scalar(const Json &value) {
    if (value.is_null())
        return "-";
    if (value.is_boolean())
        return value.get<bool>() ? "yes" : "no";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

/// "root.layers: /a" lines, indented by nothing: easy to read, easy to grep.
void render(const std::string &prefix, const Json &value, std::string &out) {
    if (value.is_object()) {
        for (const auto &[key, member] : value.items())
            render(prefix.empty() ? key : prefix + "." + key, member, out);
        return;
    }
    if (!value.is_array()) {
        out += berth::format("{}: {}\n", prefix, scalar(value));
        return;
    }
    if (value.empty() || !value[0].is_object()) {
        std::string line;
        for (const Json &member : value)
            line += (line.empty() ? "" : " ") + scalar(member);
        out += berth::format("{}: {}\n", prefix, line.empty() ? "-" : line);
        return;
    }
    for (std::size_t i = 0; i < value.size(); ++i)
        render(berth::format("{}[{}]", prefix, i), value[i], out);
}

} // namespace

std::string plan_text(const LaunchPlan &plan) {
    std::string out;
    render("", model(plan), out);
    return out;
}

std::string plan_json(const LaunchPlan &plan) {
    return model(plan).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace berth
