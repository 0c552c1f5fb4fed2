// SPDX-License-Identifier: LGPL-2.1-or-later
// Watches one running machine until its PID 1 ends: console, signals, readiness.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/unique_fd.hpp"
#include "console/terminal_relay.hpp"
#include "plan/plan.hpp"

namespace berth::supervisor {

/// A machine that runs.
struct Machine {
    bool init_notifies = false; ///< its PID 1 will say when it is up
    pid_t leader = -1;
    unique_fd pidfd;
    unique_fd console; ///< the pty's master; empty when piped
    unique_fd notify;
    std::unique_ptr<terminal::Relay> relay; ///< where it is piped: between it and our terminals
};

/// How PID 1 ended (reboot(2), "Behavior inside PID namespaces").
struct End {
    enum class How : std::uint8_t {
        exited,   ///< `status` is its exit status
        killed,   ///< `status` is the signal
        rebooted, ///< it wants to be started again
        halted,
        output_failed, ///< what it wrote could not be written, which we have told; `status` is our own
        asked,         ///< we were told to end it by the signal in `status`, and it did not end by itself
    };
    How how = How::exited;
    int status = 0;
};

/// Waits for `time`, or until we are asked to end: by the signal returned.
[[nodiscard]] std::optional<int> pause(std::chrono::milliseconds time);

/// Blocks the signals that watch() handles, so that none is lost while a machine is made.
void block_signals();

/// Watches `machine`; reaps its PID 1. `announce`: tell our own service manager when it is ready.
[[nodiscard]] End watch(const LaunchPlan &plan, Machine &machine, bool announce);

} // namespace berth::supervisor
