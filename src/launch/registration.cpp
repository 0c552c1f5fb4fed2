// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/registration.hpp"

#include <sys/stat.h>
#include <systemd/sd-id128.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "kernel/cgroup.hpp"
#include "systemd/bus_call.hpp"
#include "systemd/scope.hpp"
#include "systemd/unit_devices.hpp"
#include "systemd/unit_properties.hpp"

namespace berth::registration {

namespace {

BusMessagePtr new_call(sd_bus *bus, const LaunchPlan &plan, const std::string &member, int leader,
                       const std::vector<int> &interfaces) {
    const std::string name = member + (interfaces.empty() ? "" : "WithNetwork");
    BusMessagePtr message =
        bus_call::method(bus, "org.berth1", "/org/berth1", "org.berth1.Manager", name.c_str());
    sd_id128_t id{};
    bus_call::check(::sd_id128_from_string(plan.machine_id.c_str(), &id), "reading the machine ID");
    std::string root = plan.root.kind == RootPlan::Kind::directory && !plan.root.layers.empty()
                           ? plan.root.layers.front()
                           : "";
    if (!utf8::valid(root)) // no such text goes over the bus
        root.clear();
    constexpr const char *what = "making a bus message";
    bus_call::check(::sd_bus_message_append(message.get(), "s", plan.name.c_str()), what);
    bus_call::check(::sd_bus_message_append_array(message.get(), 'y', &id, sizeof id), what);
    bus_call::check(
        ::sd_bus_message_append(message.get(), "sshs", "berth", "container", leader, root.c_str()), what);
    if (!interfaces.empty())
        bus_call::check(::sd_bus_message_append_array(message.get(), 'i', interfaces.data(),
                                                      interfaces.size() * sizeof(int)),
                        what);
    return message;
}

struct BoundDevice {
    std::string node;
    const char *access;
};

std::vector<BoundDevice> bound_devices(const LaunchPlan &plan) {
    std::vector<BoundDevice> devices;
    for (const MountPlan &mount : plan.mounts) {
        if (mount.kind != MountConfig::Kind::bind || mount.sources[0].inside)
            continue;
        const std::string &path = mount.sources[0].path;
        struct stat st{};
        if (::stat(path.c_str(), &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
            devices.push_back({path, mount.read_only ? "r" : "rw"});
    }
    return devices;
}

/// The devices that the machine's own nodes stand for, and those that the user binds in: others it
/// could make nodes of, but not open.
std::vector<std::string> device_rules(const LaunchPlan &plan) {
    std::vector<std::string> rules{"DevicePolicy=closed", "DeviceAllow=/dev/net/tun rwm",
                                   "DeviceAllow=/dev/fuse rwm", "DeviceAllow=char-pts rw"};
    for (const BoundDevice &device : bound_devices(plan))
        rules.push_back("DeviceAllow=" + device.node + " " + device.access);
    return rules;
}

/// What the scope is asked to be; what the user says comes last and counts.
std::vector<std::string> properties_of(const LaunchPlan &plan) {
    std::vector<std::string> all = device_rules(plan);
    all.insert(all.end(), plan.unit.properties.begin(), plan.unit.properties.end());
    return all;
}

std::string kept_unit_name() {
    return std::filesystem::path(cgroup::unit_part(cgroup::path_of(0))).filename();
}

void create(sd_bus *bus, const LaunchPlan &plan, int leader, const std::vector<int> &interfaces) {
    const BusMessagePtr message = new_call(bus, plan, "CreateMachine", leader, interfaces);
    constexpr const char *what = "making a bus message";
    bus_call::check(::sd_bus_message_open_container(message.get(), 'a', "(sv)"), what);
    if (plan.unit.slice != "machine.slice")
        unit_properties::append_text(message.get(), "Slice", plan.unit.slice.c_str());
    for (const std::string &property : properties_of(plan))
        unit_properties::append(message.get(), property);
    bus_call::check(::sd_bus_message_close_container(message.get()), what);
    bus_call::call(bus, message.get(), "registering machine \"" + plan.name + "\" with berthd");
}

} // namespace

void enter(const LaunchPlan &plan, int leader, const std::vector<int> &interfaces) {
    const UnitPlan &unit = plan.unit;
    const std::vector<BoundDevice> devices =
        unit.keep_unit ? bound_devices(plan) : std::vector<BoundDevice>();
    if (!unit.register_machine && unit.keep_unit && devices.empty())
        return;
    const BusPtr bus = bus_call::open_system();
    for (const auto &[node, access] : devices) // our unit's rules know nothing of them
        unit_devices::allow(bus.get(), kept_unit_name(), node, access);
    if (!unit.register_machine && unit.keep_unit)
        return;
    if (!unit.register_machine) {
        scope::start(bus.get(),
                     {.name = unit.scope,
                      .description = "Container " + plan.name,
                      .slice = unit.slice,
                      .properties = properties_of(plan)},
                     leader);
    } else if (unit.keep_unit) {
        const BusMessagePtr message = new_call(bus.get(), plan, "RegisterMachine", leader, interfaces);
        bus_call::call(bus.get(), message.get(), "registering machine \"" + plan.name + "\" with berthd");
    } else {
        create(bus.get(), plan, leader, interfaces);
    }
}

} // namespace berth::registration
