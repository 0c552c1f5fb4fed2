// SPDX-License-Identifier: LGPL-2.1-or-later
// What surrounds the machine's first process beside namespaces: limits, CPUs, personality, keyring.
#pragma once

#include <sys/types.h>

#include "plan/plan.hpp"

namespace berth::process {

/// Sets the resource limits, CPU affinity and OOM score of `pid`, a child of ours, with the host's
/// rights. Limits that the plan leaves open become those that the kernel gives to an init.
void limit(const ProcessPlan &plan, pid_t pid);

/// Lets capabilities outlast a change of user, where the plan hands some to the command.
void keep_capabilities(const ProcessPlan &plan);

/// The last steps before exec: keyring, personality, ambient capabilities, no new privileges,
/// SELinux label.
void prepare(const ProcessPlan &plan);

} // namespace berth::process
