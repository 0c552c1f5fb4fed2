// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/scope.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <thread>

#include "base/error.hpp"
#include "systemd/bus_call.hpp"
#include "systemd/earlier_unit.hpp"
#include "systemd/unit_properties.hpp"

namespace berth::scope {

namespace {

constexpr const char *service = "org.freedesktop.systemd1";
constexpr const char *object = "/org/freedesktop/systemd1";
constexpr const char *interface = "org.freedesktop.systemd1.Manager";
constexpr auto deadline = std::chrono::seconds(90);

using Clock = std::chrono::steady_clock;

/// Results of jobs by path; the signal may come before the answer that tells us the path.
using Results = std::map<std::string, std::string>;

int on_job_removed(sd_bus_message *message, void *data, sd_bus_error * /*error*/) {
    std::uint32_t id = 0;
    const char *path = nullptr;
    const char *unit = nullptr;
    const char *result = nullptr;
    if (::sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) >= 0)
        (*static_cast<Results *>(data))[path] = result;
    return 0;
}

std::string request_job(sd_bus *bus, const Request &request, int pidfd) {
    const BusMessagePtr message = bus_call::method(bus, service, object, interface, "StartTransientUnit");
    bus_call::check(::sd_bus_message_append(message.get(), "ss", request.name.c_str(), "fail"),
                    "making a bus message");
    bus_call::check(::sd_bus_message_open_container(message.get(), 'a', "(sv)"), "making a bus message");
    unit_properties::append_text(message.get(), "Description", request.description.c_str());
    unit_properties::append_text(message.get(), "Slice", request.slice.c_str());
    unit_properties::append_text(message.get(), "CollectMode", "inactive-or-failed");
    unit_properties::append_bool(message.get(), "Delegate", true);
    unit_properties::append_pidfd(message.get(), "PIDFDs", pidfd);
    unit_properties::append(message.get(), "TasksMax=16384");
    for (const std::string &property : request.properties)
        unit_properties::append(message.get(), property);
    bus_call::check(::sd_bus_message_close_container(message.get()), "making a bus message");
    bus_call::check(::sd_bus_message_append(message.get(), "a(sa(sv))", 0), "making a bus message");
    const BusMessagePtr reply = bus_call::call(bus, message.get(), "starting " + request.name);
    const char *job = nullptr;
    bus_call::check(::sd_bus_message_read(reply.get(), "o", &job), "reading systemd's answer");
    return job;
}

std::vector<pid_t> processes_of(sd_bus *bus, const std::string &unit) {
    const BusMessagePtr message = bus_call::method(bus, service, object, interface, "GetUnitProcesses");
    bus_call::check(::sd_bus_message_append(message.get(), "s", unit.c_str()), "making a bus message");
    std::vector<pid_t> processes;
    try {
        constexpr auto what = "reading systemd's answer";
        const BusMessagePtr reply =
            bus_call::call(bus, message.get(), "looking for the processes of " + unit);
        bus_call::check(::sd_bus_message_enter_container(reply.get(), 'a', "(sus)"), what);
        const char *cgroup = nullptr;
        const char *words = nullptr;
        std::uint32_t pid = 0;
        int more = 0;
        while ((more = ::sd_bus_message_read(reply.get(), "(sus)", &cgroup, &pid, &words)) > 0)
            processes.push_back(static_cast<pid_t>(pid));
        bus_call::check(more, what);
    } catch (const bus_call::CallError &error) {
        if (error.name() != earlier_unit::not_loaded)
            throw;
    }
    return processes;
}

/// Asks for the end of a unit that has no processes; whether it comes is seen elsewhere.
void stop(sd_bus *bus, const std::string &unit) {
    const BusMessagePtr message = bus_call::method(bus, service, object, interface, "StopUnit");
    bus_call::check(::sd_bus_message_append(message.get(), "ss", unit.c_str(), "replace"),
                    "making a bus message");
    try {
        bus_call::call(bus, message.get(), "stopping " + unit);
    } catch (const bus_call::CallError &error) {
        if (error.name() != earlier_unit::not_loaded)
            throw;
    }
}

/// As request_job(), and waits for the end of an earlier unit of that name. When a leader dies while
/// its scope is made, systemd may not notice that nothing is left in it.
std::string request_job_when_free(sd_bus *bus, const Request &request, int pidfd, Clock::time_point end) {
    Clock::time_point last_empty = Clock::now();
    Clock::time_point last_used = last_empty;
    for (;;) {
        try {
            return request_job(bus, request, pidfd);
        } catch (const bus_call::CallError &error) {
            if (error.name() != earlier_unit::exists)
                throw;
        }
        const bool used = std::ranges::any_of(processes_of(bus, request.name), earlier_unit::is_staying);
        const Clock::time_point now = Clock::now();
        (used ? last_used : last_empty) = now;
        if (now > last_empty + earlier_unit::last_breath)
            throw Error("starting " + request.name + ": " + earlier_unit::in_use(request.name), EEXIST);
        if (now > last_used + earlier_unit::last_breath) {
            stop(bus, request.name);
            last_used = now;
        }
        if (now > end)
            fail_code(ETIMEDOUT, "starting {}: waiting for the end of an earlier unit of that name",
                      request.name);
        std::this_thread::sleep_for(earlier_unit::pause);
    }
}

} // namespace

void start(sd_bus *bus, const Request &request, int pidfd) {
    Results results;
    sd_bus_slot *slot = nullptr;
    bus_call::check(::sd_bus_match_signal_async(bus, &slot, service, object, interface, "JobRemoved",
                                                on_job_removed, nullptr, &results),
                    "listening for systemd's jobs");
    const BusSlotPtr owner(slot);
    const auto end = Clock::now() + deadline;
    const std::string job = request_job_when_free(bus, request, pidfd, end);
    while (!results.contains(job)) {
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(end - Clock::now());
        if (left.count() <= 0)
            fail_code(ETIMEDOUT, "waiting for systemd to start {}", request.name);
        int processed = 0;
        bus_call::check(processed = ::sd_bus_process(bus, nullptr), "reading from the bus");
        if (processed == 0)
            bus_call::check(::sd_bus_wait(bus, static_cast<std::uint64_t>(left.count())),
                            "waiting for the bus");
    }
    if (results[job] != "done")
        fail("starting {}: systemd says \"{}\"", request.name, results[job]);
}

} // namespace berth::scope
