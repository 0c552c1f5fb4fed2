// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ctl/units.hpp"

#include <utility>

#include "base/names.hpp"
#include "berth/ctl/client.hpp"

namespace berth::cli {

namespace {

const sdbus::ServiceName systemd{"org.freedesktop.systemd1"};
const sdbus::ObjectPath manager_path{"/org/freedesktop/systemd1"};
constexpr const char *manager_interface = "org.freedesktop.systemd1.Manager";

using ChangeList = std::vector<sdbus::Struct<std::string, std::string, std::string>>;

std::vector<Units::Change> changes_from(const ChangeList &list) {
    std::vector<Units::Change> changes;
    for (const auto &[type, file, target] : list)
        changes.push_back({.type = type, .file = file, .target = target});
    return changes;
}

} // namespace

std::string service_of(const std::string &machine) {
    require_machine_name(machine); // all its characters are good for a unit name
    return "berth@" + machine + ".service";
}

Units::Units(sdbus::IConnection &connection)
    : connection_(connection), manager_(sdbus::createProxy(connection, systemd, manager_path)) {
}

std::vector<std::string> Units::start(const std::vector<std::string> &units) {
    if (!std::exchange(watching_jobs_, true))
        manager_->uponSignal("JobRemoved")
            .onInterface(manager_interface)
            .call([this](std::uint32_t, const sdbus::ObjectPath &job, const std::string &,
                         const std::string &result) { results_[job] = result; });
    std::vector<std::string> jobs;
    for (const std::string &unit : units) {
        sdbus::ObjectPath job;
        manager_->callMethod("StartUnit")
            .onInterface(manager_interface)
            .withArguments(unit, "fail")
            .storeResultsTo(job);
        jobs.push_back(job);
    }
    std::vector<std::string> results;
    for (const std::string &job : jobs) {
        while (!results_.contains(job)) // systemd has its own time limits; ours would contradict them
            process_bus(connection_);
        results.push_back(results_[job]);
    }
    return results;
}

std::string Units::service_property(const std::string &unit, const char *name) {
    try {
        sdbus::ObjectPath path;
        manager_->callMethod("GetUnit")
            .onInterface(manager_interface)
            .withArguments(unit)
            .storeResultsTo(path);
        const auto proxy = sdbus::createProxy(connection_, systemd, path);
        return proxy->getProperty(name).onInterface("org.freedesktop.systemd1.Service").get<std::string>();
    } catch (const sdbus::Error &) {
        return {};
    }
}

std::vector<Units::Change> Units::enable(const std::vector<std::string> &units) {
    bool has_install_section = false;
    ChangeList changes;
    manager_->callMethod("EnableUnitFiles")
        .onInterface(manager_interface)
        .withArguments(units, false, false) // for good; never over links of others
        .storeResultsTo(has_install_section, changes);
    manager_->callMethod("Reload").onInterface(manager_interface);
    return changes_from(changes);
}

std::vector<Units::Change> Units::disable(const std::vector<std::string> &units) {
    ChangeList changes;
    manager_->callMethod("DisableUnitFiles")
        .onInterface(manager_interface)
        .withArguments(units, false)
        .storeResultsTo(changes);
    manager_->callMethod("Reload").onInterface(manager_interface);
    return changes_from(changes);
}

} // namespace berth::cli
