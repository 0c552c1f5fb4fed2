// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/leader.hpp"

#include <fcntl.h>

#include "base/error.hpp"
#include "base/systemd_handles.hpp"
#include "cli/explain.hpp"

namespace berth::cli {

namespace {

struct BusError {
    BusError() = default;
    BusError(const BusError &) = delete;
    BusError &operator=(const BusError &) = delete;
    ~BusError() { sd_bus_error_free(&error); }

    sd_bus_error error = SD_BUS_ERROR_NULL;
};

std::string text_of(const char *text) {
    return text != nullptr ? text : "";
}

} // namespace

unique_fd open_leader(const std::string &machine) {
    sd_bus *opened = nullptr;
    if (const int r = sd_bus_open_system(&opened); r < 0)
        throw Error(explain("org.freedesktop.DBus.Error.NoServer", errno_text(-r)), -r);
    const BusPtr bus(opened);
    BusError failure;
    sd_bus_message *answer = nullptr;
    int r = sd_bus_call_method(opened, "org.berth1", "/org/berth1", "org.berth1.Manager", "OpenMachineLeader",
                               &failure.error, &answer, "s", machine.c_str());
    if (r < 0)
        throw Error(explain(text_of(failure.error.name), text_of(failure.error.message), machine), -r);
    const BusMessagePtr reply(answer);
    int fd = -1;
    r = sd_bus_message_read(answer, "h", &fd);
    if (r < 0)
        fail_code(-r, "reading berthd's answer");
    unique_fd leader(::fcntl(fd, F_DUPFD_CLOEXEC, 3)); // the message's own closes with it
    if (!leader)
        fail_errno("keeping the leader's pidfd");
    return leader;
}

} // namespace berth::cli
