// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ns/machines.hpp"

#include <fcntl.h>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "base/systemd_handles.hpp"
#include "cli/explain.hpp"

namespace berth::ns {

namespace {

/// A method of the manager's with at most one argument, a machine's name. Nothing when the machine is
/// no more.
BusMessagePtr call(sd_bus *bus, const char *method, const std::string *machine) {
    sd_bus_error failure = SD_BUS_ERROR_NULL;
    sd_bus_message *answer = nullptr;
    const int r = sd_bus_call_method(bus, "org.berth1", "/org/berth1", "org.berth1.Manager", method, &failure,
                                     &answer, machine != nullptr ? "s" : nullptr,
                                     machine != nullptr ? machine->c_str() : nullptr);
    if (r >= 0)
        return BusMessagePtr(answer);
    const std::string name = failure.name != nullptr ? failure.name : "";
    const std::string message = failure.message != nullptr ? failure.message : errno_text(-r);
    sd_bus_error_free(&failure);
    if (machine != nullptr && (name.ends_with(".NoSuchMachine") || name.ends_with(".NoSuchProcess")))
        return nullptr;
    throw Error(cli::explain(name, message, machine != nullptr ? *machine : ""), -r);
}

std::vector<std::string> names_in(sd_bus_message *answer) {
    const auto require = [](int r) {
        if (r < 0)
            fail_code(-r, "reading berthd's list of machines");
        return r;
    };
    std::vector<std::string> names;
    require(sd_bus_message_enter_container(answer, 'a', "(ssso)"));
    const char *name = nullptr;
    const char *others[3]{};
    while (require(sd_bus_message_read(answer, "(ssso)", &name, &others[0], &others[1], &others[2])) > 0)
        if (*name != '.') // the host itself is none
            names.emplace_back(name);
    return names;
}

} // namespace

std::vector<Machine> machines() {
    sd_bus *opened = nullptr;
    if (const int r = sd_bus_open_system(&opened); r < 0)
        throw Error(cli::explain("org.freedesktop.DBus.Error.NoServer", errno_text(-r)), -r);
    const BusPtr bus(opened);
    const BusMessagePtr list = call(opened, "ListMachines", nullptr);
    std::vector<Machine> found;
    for (const std::string &name : names_in(list.get())) {
        const BusMessagePtr answer = call(opened, "OpenMachineLeader", &name);
        int fd = -1;
        if (!answer || sd_bus_message_read(answer.get(), "h", &fd) < 0)
            continue;
        unique_fd leader(::fcntl(fd, F_DUPFD_CLOEXEC, 3)); // the message's own closes with it
        if (!leader)
            fail_errno("keeping a leader's pidfd");
        if (const pid_t pid = pidfd::pid_of(leader.get()); pid != 0)
            found.push_back({.name = name, .leader = std::move(leader), .pid = pid});
    }
    return found;
}

} // namespace berth::ns
