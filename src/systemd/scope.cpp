// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/scope.hpp"

#include <chrono>
#include <map>

#include "base/error.hpp"
#include "systemd/bus_call.hpp"
#include "systemd/unit_properties.hpp"

namespace berth::scope {

namespace {

constexpr const char *service = "org.freedesktop.systemd1";
constexpr const char *object = "/org/freedesktop/systemd1";
constexpr const char *interface = "org.freedesktop.systemd1.Manager";
constexpr auto deadline = std::chrono::seconds(90);

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

} // namespace

void start(sd_bus *bus, const Request &request, int pidfd) {
    Results results;
    sd_bus_slot *slot = nullptr;
    bus_call::check(::sd_bus_match_signal_async(bus, &slot, service, object, interface, "JobRemoved",
                                                on_job_removed, nullptr, &results),
                    "listening for systemd's jobs");
    const BusSlotPtr owner(slot);
    const std::string job = request_job(bus, request, pidfd);
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!results.contains(job)) {
        const auto left =
            std::chrono::duration_cast<std::chrono::microseconds>(end - std::chrono::steady_clock::now());
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
