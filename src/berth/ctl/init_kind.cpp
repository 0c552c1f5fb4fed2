// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ctl/init_kind.hpp"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/format.hpp"
#include "base/pidfd.hpp"
#include "base/rooted.hpp"
#include "base/unique_fd.hpp"

namespace berth::cli {

namespace {

/// The command that speaks to sysvinit.
bool has_telinit(pid_t pid) {
    const unique_fd root(
        ::open(berth::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return root && rooted::is_executable(root.get(), "/sbin/telinit");
}

} // namespace

InitKind init_kind(std::string_view executed) {
    const std::array known{
        InitKind{"busybox", SIGUSR2, SIGTERM},  // its init.c
        InitKind{"finit", SIGUSR2, SIGTERM},    // as busybox
        InitKind{"s6-svscan", SIGUSR1, SIGINT}, // s6-linux-init
        InitKind{.program = "sysvinit"},        InitKind{.program = "openrc-init"},
        InitKind{.program = "runit"},           InitKind{.program = "runit-init"},
    };
    const auto *const found = std::ranges::find(known, executed, &InitKind::program);
    // systemd(1), "Signals": the small init of --as-pid2 has the same, and whoever else would be asked by
    // machinectl.
    return found != known.end() ? *found : InitKind{executed, SIGRTMIN + 4, SIGINT};
}

InitKind init_kind_of(int leader) {
    const pid_t pid = pidfd::pid_of(leader);
    std::error_code error;
    const auto program = std::filesystem::read_symlink(berth::format("/proc/{}/exe", pid), error).filename();
    const bool sysvinit = program == "init" && has_telinit(pid); // many are called init
    InitKind kind = init_kind(error ? "systemd" : sysvinit ? "sysvinit" : program.native());
    kind.program = {};
    return kind;
}

} // namespace berth::cli
