// SPDX-License-Identifier: LGPL-2.1-or-later
// A transient scope asked of systemd directly, for machines that are not registered.
#pragma once

#include <systemd/sd-bus.h>

#include <string>
#include <vector>

namespace berth::scope {

struct Request {
    std::string name;
    std::string description;
    std::string slice;
    std::vector<std::string> properties; ///< NAME=VALUE
};

/// Starts the scope around the process behind `pidfd` and waits until systemd's job is done. The end
/// of an earlier scope of that name is waited for; when that is in use, it is an error.
void start(sd_bus *bus, const Request &request, int pidfd);

} // namespace berth::scope
