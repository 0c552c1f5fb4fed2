// SPDX-License-Identifier: LGPL-2.1-or-later
// A command of ours in namespaces of others (setns(2)).
#pragma once

#include <string>
#include <vector>

#include "berth/ns/target.hpp"

namespace berth::ns {

/// Runs `command` in the namespaces of `target`, and returns its exit code as shells have it; becomes
/// it where no process of ours needs to stay. 126 or 127, with a message, when it cannot be run.
[[nodiscard]] int enter(const Target &target, const std::vector<std::string> &command);

} // namespace berth::ns
