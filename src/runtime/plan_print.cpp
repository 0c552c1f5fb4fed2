// SPDX-License-Identifier: LGPL-2.1-or-later
// A plan as text and as JSON: one model of it, two renderings.
#include <signal.h>

#include <nlohmann/json.hpp>

#include "runtime/namespaces.hpp"
#include "runtime/plan.hpp"

namespace berth {

namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(ExecMode mode) {
    switch (mode) {
    case ExecMode::command: return "command";
    case ExecMode::pid2: return "as-pid2";
    case ExecMode::boot: return "boot";
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

Json model(const LaunchPlan &plan) {
    Json mounts = Json::array();
    for (const MountPlan &mount : plan.mounts)
        mounts.push_back({{"type", mount.kind == MountPlan::Kind::bind ? "bind" : "tmpfs"},
                          {mount.kind == MountPlan::Kind::bind ? "source" : "options", mount.source},
                          {"destination", mount.destination},
                          {"readOnly", mount.read_only},
                          {"recursive", mount.recursive}});
    Json environment = Json::object();
    for (const auto &[name, value] : plan.environment)
        environment[name] = value;
    Json root{{"type", plan.root.is_overlay() ? "overlay" : "directory"},
              {"layers", plan.root.layers},
              {"upper", name_of(plan.root.upper)},
              {"readOnly", plan.root.read_only}};
    if (!plan.root.upper_directory.empty())
        root["upperDirectory"] = plan.root.upper_directory;
    const auto text = [](const std::string &value) { return value.empty() ? Json() : Json(value); };
    return Json{{"name", plan.name},
                {"hostname", plan.hostname},
                {"machineId", plan.machine_id},
                {"root", root},
                {"mounts", mounts},
                {"namespaces", namespaces::names(plan.namespaces | CLONE_NEWCGROUP)},
                {"boundingSet", capabilities::names(plan.bounding)},
                {"mode", name_of(plan.mode)},
                {"command", plan.command},
                {"environment", environment},
                {"user", text(plan.user)},
                {"workingDirectory", text(plan.working_directory)},
                {"killSignal", plan.kill_signal != 0 ? Json(plan.kill_signal) : Json()},
                {"notifyReady", plan.notify_ready},
                {"console", name_of(plan.console)},
                {"unit",
                 {{"register", plan.unit.register_machine},
                  {"keepUnit", plan.unit.keep_unit},
                  {"scope", text(plan.unit.scope)},
                  {"slice", text(plan.unit.slice)},
                  {"properties", plan.unit.properties}}}};
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
        out += std::format("{}: {}\n", prefix, scalar(value));
        return;
    }
    if (value.empty() || !value[0].is_object()) {
        std::string line;
        for (const Json &member : value)
            line += (line.empty() ? "" : " ") + scalar(member);
        out += std::format("{}: {}\n", prefix, line.empty() ? "-" : line);
        return;
    }
    for (std::size_t i = 0; i < value.size(); ++i)
        render(std::format("{}[{}]", prefix, i), value[i], out);
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
