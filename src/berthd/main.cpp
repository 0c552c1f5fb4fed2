// SPDX-License-Identifier: LGPL-2.1-or-later
// berthd: keeps the register of machines and offers it on the system bus. No machine's life
// depends on it; it can be stopped, killed and replaced while they run.
#include <systemd/sd-daemon.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>

#include "base/error.hpp"
#include "berthd/manager_object.hpp"
#include "bus/event.hpp"
#include "systemd/bus_call.hpp"

namespace berth {

namespace {

const sdbus::ServiceName bus_name("org.berth1");

/// For calls that have come in already when we are asked to stop, but have not been read.
constexpr auto incoming_patience = std::chrono::milliseconds(20);

/// For calls being carried out then.
constexpr auto drain_patience = std::chrono::seconds(10);

void block_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGCHLD})
        ::sigaddset(&signals, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

EventPtr open_loop() {
    sd_event *loop = nullptr;
    bus_call::check(::sd_event_default(&loop), "creating the event loop");
    EventPtr owner(loop);
    bus_call::check(::sd_event_set_watchdog(loop, 1), "starting the watchdog");
    return owner;
}

/// Stopping: no new calls come in, those under way are finished, then the loop ends. Machines are
/// left alone.
class Stop {
public:
    Stop(sd_event *loop, sdbus::IConnection &bus, Tasks &tasks)
        : loop_(loop), bus_(bus), tasks_(tasks), terminate_(loop, SIGTERM, [this] { begin(); }),
          interrupt_(loop, SIGINT, [this] { begin(); }) {}

private:
    void begin() {
        if (limit_)
            return;
        ::sd_notify(0, "STOPPING=1");
        bus_.releaseName(bus_name); // whoever calls from now on starts our successor
        limit_ = std::make_unique<Timer>(loop_, Clock::now() + drain_patience, [this] { finish(); });
        incoming_ = std::make_unique<Timer>(loop_, Clock::now() + incoming_patience, [this] {
            tasks_.when_empty = [this] { finish(); };
            if (tasks_.empty())
                finish();
        });
    }

    void finish() { ::sd_event_exit(loop_, EXIT_SUCCESS); }

    sd_event *loop_;
    sdbus::IConnection &bus_;
    Tasks &tasks_;
    SignalWatch terminate_;
    SignalWatch interrupt_;
    std::unique_ptr<Timer> limit_;
    std::unique_ptr<Timer> incoming_;
};

int run() {
    block_signals();
    const EventPtr loop = open_loop();
    BusPtr raw_owner = bus_call::open_system();
    sd_bus *raw = raw_owner.get();
    bus_call::check(::sd_bus_attach_event(raw, loop.get(), SD_EVENT_PRIORITY_NORMAL), "watching the bus");
    bus_call::check(::sd_bus_set_exit_on_disconnect(raw, 1), "watching for the end of the bus");
    const auto bus = sdbus::createBusConnection(raw_owner.release());
    ManagerObject manager(*bus, raw, loop.get(), StateFolder("/run/berth/machines", "/run/systemd/machines"));
    manager.restore();
    bus->requestName(bus_name);
    const Stop stop(loop.get(), *bus, manager.tasks());
    ::sd_notify(0, "READY=1");
    const int status = ::sd_event_loop(loop.get());
    bus_call::check(status, "running the event loop");
    if (status != EXIT_SUCCESS)
        fail("the connection to the system bus was lost"); // systemd starts us anew
    return status;
}

/// An error for the journal; without formatting, which could fail in its turn.
void complain(const char *what) noexcept {
    for (const char *part : {SD_ERR, what, "\n"})
        static_cast<void>(std::fputs(part, stderr));
}

} // namespace

} // namespace berth

int main(int argc, char ** /*argv*/) {
    if (argc > 1) {
        berth::complain("berthd takes no arguments; systemd starts it when it is needed");
        return EXIT_FAILURE;
    }
    try {
        return berth::run();
    } catch (const std::exception &error) {
        berth::complain(error.what());
        return EXIT_FAILURE;
    }
}
