// SPDX-License-Identifier: LGPL-2.1-or-later
// Work in a child process: for what a hostile machine may make last forever, or what changes the
// process that does it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "bus/event.hpp"
#include "bus/task.hpp"

namespace berth {

/// The text that `work` returns in a child process, which keeps stdio and `keep` of our
/// descriptors. Throws Error with what `work` threw, and when `limit` was not enough for it. Then the
/// child is killed but not waited for: what it waits for in the kernel may hold it beyond that.
/// `token` is kept until it has ended. `doing` names it in errors. SIGCHLD must be blocked.
Task<std::string> in_child(sd_event *loop, std::string doing, int keep, std::chrono::milliseconds limit,
                           std::function<std::string()> work, std::shared_ptr<void> token = {});

} // namespace berth
