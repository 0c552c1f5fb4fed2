// SPDX-License-Identifier: LGPL-2.1-or-later
// The host's side of a machine's life: makes it, registers it, watches it, makes it anew when it
// reboots.
#pragma once

#include <string>

#include "runtime/plan.hpp"
#include "runtime/root.hpp"
#include "runtime/supervisor.hpp"

namespace berth {

class Launcher {
public:
    /// Takes the locks on the trees and makes the upper's folders.
    explicit Launcher(LaunchPlan plan);

    /// Runs the machine to its end. Returns the exit status for our own caller: that of the
    /// command, 0 after a power-off, 128+n when signal n killed PID 1.
    int run();

private:
    /// Makes the machine, in the control group behind `payload`, or in its scope when negative.
    supervisor::Machine start(int payload);
    void enter_scope(pid_t leader) const;
    void say(const std::string &text) const;

    LaunchPlan plan_;
    root::Locks locks_;
};

} // namespace berth
