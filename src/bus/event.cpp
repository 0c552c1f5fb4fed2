// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/event.hpp"

#include <ctime>

#include "base/error.hpp"

namespace berth {

namespace {

// The function is copied first: what it does may free the object that holds it.
int run(void *data) {
    const std::function<void()> function = *static_cast<std::function<void()> *>(data);
    function();
    return 0;
}

int on_time(sd_event_source * /*source*/, std::uint64_t /*now*/, void *data) {
    return run(data);
}

int on_io(sd_event_source * /*source*/, int /*fd*/, std::uint32_t /*events*/, void *data) {
    return run(data);
}

int on_signal(sd_event_source * /*source*/, const signalfd_siginfo * /*info*/, void *data) {
    return run(data);
}

void check(int result, const char *what) {
    if (result < 0)
        fail_code(-result, "adding {} to the event loop", what);
}

} // namespace

Timer::Timer(sd_event *loop, Clock::time_point when, std::function<void()> function)
    : function_(std::move(function)) {
    const auto since_boot = std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch());
    sd_event_source *source = nullptr;
    constexpr std::uint64_t accuracy = 10000; // 10 ms
    check(::sd_event_add_time(loop, &source, CLOCK_MONOTONIC, static_cast<std::uint64_t>(since_boot.count()),
                              accuracy, on_time, &function_),
          "a timer");
    source_.reset(source);
}

Watch::Watch(sd_event *loop, int fd, std::uint32_t events, std::function<void()> function)
    : function_(std::move(function)) {
    sd_event_source *source = nullptr;
    check(::sd_event_add_io(loop, &source, fd, events, on_io, &function_), "a descriptor");
    source_.reset(source);
}

SignalWatch::SignalWatch(sd_event *loop, int signal, std::function<void()> function)
    : function_(std::move(function)) {
    sd_event_source *source = nullptr;
    check(::sd_event_add_signal(loop, &source, signal, on_signal, &function_), "a signal");
    source_.reset(source);
}

} // namespace berth
