// SPDX-License-Identifier: LGPL-2.1-or-later
// sd-event sources that run a function. They stop when the object goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/systemd_handles.hpp"

namespace berth {

using Clock = std::chrono::steady_clock; // CLOCK_MONOTONIC, as sd-event counts it

/// Runs a function once, at a point in time.
class Timer {
public:
    Timer(sd_event *loop, Clock::time_point when, std::function<void()> function);

private:
    std::function<void()> function_;
    EventSourcePtr source_;
};

/// Runs a function whenever a descriptor has one of `events` (epoll_ctl(2)).
class Watch {
public:
    Watch(sd_event *loop, int fd, std::uint32_t events, std::function<void()> function);

private:
    std::function<void()> function_;
    EventSourcePtr source_;
};

/// Runs a function when a signal arrives, which must be blocked.
class SignalWatch {
public:
    SignalWatch(sd_event *loop, int signal, std::function<void()> function);

private:
    std::function<void()> function_;
    EventSourcePtr source_;
};

} // namespace berth
