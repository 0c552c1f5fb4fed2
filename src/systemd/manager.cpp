// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/manager.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>

#include "base/pidfd.hpp"
#include "bus/errors.hpp"
#include "bus/path.hpp"
#include "systemd/earlier_unit.hpp"

namespace berth::systemd {

namespace {

const sdbus::ServiceName service("org.freedesktop.systemd1");
const sdbus::ObjectPath object("/org/freedesktop/systemd1");
const sdbus::InterfaceName interface("org.freedesktop.systemd1.Manager");

constexpr auto property_unknown = "org.freedesktop.DBus.Error.PropertyReadOnly";

/// As many tasks as systemd gives a container by itself (systemd-nspawn(1)).
constexpr std::uint64_t default_tasks_max = 16384;

/// Appends a struct (sv).
template <class T>
void append(sdbus::Message &message, const char *name, const char *signature, const T &value) {
    message.openStruct("sv");
    message << name;
    message.openVariant(signature);
    message << value;
    message.closeVariant();
    message.closeStruct();
}

/// As above, for an array of one; the library's own way for arrays copies descriptors twice more.
template <class T>
void append_one(sdbus::Message &message, const char *name, const char *signature, const T &value) {
    message.openStruct("sv");
    message << name;
    message.openVariant(signature);
    message.openContainer(signature + 1);
    message << value;
    message.closeContainer();
    message.closeVariant();
    message.closeStruct();
}

bool has(const std::vector<Property> &properties, std::string_view name) {
    return std::ranges::any_of(properties, [&](const Property &p) { return p.get<0>() == name; });
}

sdbus::Error too_late(const std::string &unit) {
    return bus_error::make(bus_error::timeout, "systemd did not finish its job for {} in time", unit);
}

} // namespace

/// While one lives, we do not know the path of a job that we asked for, and keep all results.
struct Manager::Unanswered {
    Manager &manager;

    explicit Unanswered(Manager &m) : manager(m) { ++manager.unanswered_; }
    Unanswered(const Unanswered &) = delete;
    Unanswered &operator=(const Unanswered &) = delete;
    ~Unanswered() {
        if (--manager.unanswered_ == 0)
            manager.early_.clear();
    }
};

/// While one lives, systemd sends UnitRemoved.
struct Manager::Subscription {
    Manager &manager;

    explicit Subscription(Manager &m) : manager(m) {
        if (manager.subscribers_++ == 0)
            manager.tell(manager.method("Subscribe"));
    }
    Subscription(const Subscription &) = delete;
    Subscription &operator=(const Subscription &) = delete;
    ~Subscription() {
        if (--manager.subscribers_ == 0)
            manager.tell(manager.method("Unsubscribe"));
    }
};

Manager::Manager(sdbus::IConnection &bus, sd_event *loop)
    : bus_(bus), loop_(loop), peer_(sdbus::createProxy(bus, service, object)) {
    peer_->registerSignalHandler(interface, sdbus::SignalName("JobRemoved"),
                                 [this](sdbus::Signal signal) { on_job_removed(std::move(signal)); });
}

sdbus::MethodCall Manager::method(const char *member) const {
    return peer_->createMethodCall(interface, sdbus::MethodName(member));
}

Outcome<sdbus::MethodReply> Manager::send(const sdbus::MethodCall &request, Clock::time_point deadline) {
    return call(*peer_, request, deadline);
}

/// Sends a request whose answer does not matter.
void Manager::tell(const sdbus::MethodCall &request) noexcept {
    try {
        static_cast<void>(send(request, Clock::now() + std::chrono::seconds(30)));
    } catch (const sdbus::Error &) { // without a bus there is nobody to tell
        return;
    }
}

void Manager::on_job_removed(sdbus::Signal signal) {
    std::uint32_t id = 0;
    sdbus::ObjectPath path;
    std::string unit;
    std::string result;
    signal >> id >> path >> unit >> result;
    if (unanswered_ > 0)
        early_.insert_or_assign(path, result);
    while (const auto waiting = jobs_.extract(path))
        waiting.mapped().give(result);
}

/// Sends a request that queues a job; the result is what became of the job.
Task<std::string> Manager::job(sdbus::MethodCall request, Clock::time_point deadline) {
    const Outcome<std::string> ended;
    {
        const Unanswered unanswered(*this);
        sdbus::MethodReply reply = co_await send(request, deadline);
        sdbus::ObjectPath path;
        reply >> path;
        if (const auto early = early_.find(path); early != early_.end())
            ended.give(early->second);
        else
            jobs_.emplace(path, ended);
    }
    const Timer limit(loop_, deadline, [ended] { ended.give("timeout"); });
    co_return co_await ended;
}

sdbus::MethodCall Manager::start_call(const Scope &scope) const {
    sdbus::MethodCall request = method("StartTransientUnit");
    request << scope.unit << "fail";
    request.openContainer("(sv)");
    append(request, "Description", "s", scope.description);
    if (!has(scope.properties, "Slice"))
        append(request, "Slice", "s", default_slice);
    append(request, "Delegate", "b", true);
    append(request, "CollectMode", "s", "inactive-or-failed");
    append(request, "TasksMax", "t", default_tasks_max);
    if (takes_pidfds_)
        append_one(request, "PIDFDs", "ah", sdbus::UnixFd(scope.leader));
    else
        append_one(request, "PIDs", "au", static_cast<std::uint32_t>(pidfd::pid_of(scope.leader)));
    for (const Property &property : scope.properties)
        request << property;
    request.closeContainer();
    request.openContainer("(sa(sv))").closeContainer(); // no auxiliary units
    return request;
}

sdbus::MethodCall Manager::stop_call(const std::string &unit) const {
    sdbus::MethodCall request = method("StopUnit");
    request << unit << "replace";
    return request;
}

sdbus::MethodCall Manager::kill_call(const std::string &unit, int signal) const {
    sdbus::MethodCall request = method("KillUnit");
    request << unit << "all" << std::int32_t{signal};
    return request;
}

void Manager::reset_failed(const std::string &unit) noexcept {
    try {
        sdbus::MethodCall request = method("ResetFailedUnit");
        request << unit;
        tell(request);
    } catch (const sdbus::Error &) { // the mark stays, which tells too much, not too little
        return;
    }
}

Task<void> Manager::try_start(const Scope &scope, Clock::time_point deadline) {
    const std::string result = co_await job(start_call(scope), deadline);
    if (result == "timeout")
        throw too_late(scope.unit);
    if (result != "done")
        throw bus_error::make(bus_error::failed, "systemd's job ended with \"{}\"", result);
}

Task<void> Manager::start_scope(Scope scope, Clock::time_point deadline) {
    for (;;) {
        bool in_the_way = false;
        try {
            co_await try_start(scope, deadline);
            co_return;
        } catch (const sdbus::Error &error) {
            in_the_way = error.getName() == earlier_unit::exists;
            const bool old_systemd =
                takes_pidfds_ && error.getName() == property_unknown && error.getMessage().contains("PIDFDs");
            if (old_systemd)
                takes_pidfds_ = false;
            else if (!in_the_way)
                throw bus_error::while_doing("starting " + scope.unit, error);
        }
        if (in_the_way && !scope.replaces)
            co_await require_unused(scope.unit, deadline);
        if (in_the_way)
            co_await clear_away(scope.unit, deadline);
        if (Clock::now() >= deadline)
            throw bus_error::make(bus_error::timeout,
                                  "starting {}: an earlier unit of that name does not go away; "
                                  "\"systemctl status {}\" tells what it is",
                                  scope.unit, scope.unit);
    }
}

Task<std::vector<pid_t>> Manager::processes_of(std::string unit, Clock::time_point deadline) {
    std::vector<sdbus::Struct<std::string, std::uint32_t, std::string>> found;
    try {
        sdbus::MethodCall request = method("GetUnitProcesses");
        request << unit;
        sdbus::MethodReply reply = co_await send(request, deadline);
        reply >> found;
    } catch (const sdbus::Error &error) {
        if (error.getName() != earlier_unit::not_loaded)
            throw bus_error::while_doing("looking for the processes of " + unit, error);
    }
    std::vector<pid_t> processes;
    for (const auto &process : found)
        processes.push_back(static_cast<pid_t>(process.get<1>()));
    co_return processes;
}

/// Throws when `unit` has processes that stay. Those of a launcher that was just killed do not.
Task<void> Manager::require_unused(std::string unit, Clock::time_point deadline) {
    for (const auto end = Clock::now() + earlier_unit::last_breath;;) {
        if (std::ranges::none_of(co_await processes_of(unit, deadline), earlier_unit::is_staying))
            co_return;
        if (Clock::now() > end)
            throw bus_error::make(bus_error::machine_exists, "{}", earlier_unit::in_use(unit));
        const Outcome<Done> waited;
        const Timer timer(loop_, Clock::now() + earlier_unit::pause, [waited] { waited.give({}); });
        co_await waited;
    }
}

/// Brings an earlier `unit` to its end, and returns when systemd has most likely forgotten it.
Task<void> Manager::clear_away(std::string unit, Clock::time_point deadline) {
    const Subscription subscribed(*this);
    const Outcome<Done> removed;
    // By the unit's path: sd-bus and the bus do not agree on backslashes in a rule, and names have them.
    const auto match = bus_.addMatchAsync(
        "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',"
        "interface='org.freedesktop.systemd1.Manager',member='UnitRemoved',arg1path='"
            + object_path("/org/freedesktop/systemd1/unit", unit) + "'",
        [removed](const sdbus::Message &) { removed.give({}); }, [](const sdbus::Message &) {},
        sdbus::return_slot);
    bool there = true;
    try {
        tell(kill_call(unit, SIGKILL));
        co_await job(stop_call(unit), deadline);
    } catch (const sdbus::Error &error) {
        if (error.getName() != earlier_unit::not_loaded)
            throw bus_error::while_doing("stopping the " + unit + " of an earlier machine", error);
        there = false;
    }
    if (!there)
        co_return;
    // It may be held for a while by someone else who refers to it: look again now and then.
    constexpr auto patience = std::chrono::milliseconds(200);
    const Timer look(loop_, std::min(deadline, Clock::now() + patience), [removed] { removed.give({}); });
    co_await removed;
}

Task<void> Manager::stop_unit(std::string unit, Clock::time_point deadline) {
    std::string result;
    try {
        result = co_await job(stop_call(unit), deadline);
    } catch (const sdbus::Error &error) {
        if (error.getName() == earlier_unit::not_loaded)
            co_return;
        throw bus_error::while_doing("stopping " + unit, error);
    }
    if (result == "timeout")
        throw bus_error::while_doing("stopping " + unit, too_late(unit));
    if (result != "done")
        throw bus_error::make(bus_error::failed, "stopping {}: systemd's job ended with \"{}\"", unit,
                              result);
}

Task<void> Manager::kill_unit(std::string unit, int signal, Clock::time_point deadline) {
    try {
        co_await send(kill_call(unit, signal), deadline);
    } catch (const sdbus::Error &error) {
        throw bus_error::while_doing("sending a signal to the processes of " + unit, error);
    }
}

} // namespace berth::systemd
