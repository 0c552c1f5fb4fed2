// SPDX-License-Identifier: LGPL-2.1-or-later
// `berth bind` and `berth unbind`: mounts into machines that run.
#include <sys/stat.h>

#include <filesystem>

#include "base/error.hpp"
#include "berth/exec/machine.hpp"
#include "cli/verbs.hpp"
#include "join/live_mounts.hpp"
#include "systemd/bus_call.hpp"
#include "systemd/unit_devices.hpp"

namespace berth::cli {

namespace {

std::string absolute(const std::string &path) {
    if (!path.starts_with('/'))
        fail("\"{}\" is not an absolute path", path);
    return path;
}

Machine open_running(const std::string &name) {
    if (name == ".host")
        fail("the host is no machine to mount into: use mount(8)");
    return open_machine(name, join::Look::to_mount);
}

bool is_device(const std::string &path) {
    struct stat st{};
    return ::stat(path.c_str(), &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

} // namespace

int bind(const Invocation &invocation) {
    const std::vector<std::string> &words = invocation.arguments;
    const live_mounts::Request request{.source = absolute(words[1]),
                                       .destination = absolute(words.size() > 2 ? words[2] : words[1]),
                                       .read_only = invocation.settings.read_only,
                                       .make = invocation.settings.make_directories};
    const Machine machine = open_running(words[0]);
    live_mounts::bind(machine.target, request);
    if (machine.target.cgroup_is_unit && is_device(request.source)) {
        const std::string unit = std::filesystem::path(machine.target.cgroup).filename();
        unit_devices::allow(bus_call::open_system().get(), unit, request.source,
                            request.read_only ? "r" : "rw");
    }
    return 0;
}

int unbind(const Invocation &invocation) {
    const std::vector<std::string> &words = invocation.arguments;
    live_mounts::unbind(open_running(words[0]).target, absolute(words[1]));
    return 0;
}

} // namespace berth::cli
