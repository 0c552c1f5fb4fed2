// SPDX-License-Identifier: LGPL-2.1-or-later
// What berthd asks of systemd: scopes, and their end (org.freedesktop.systemd1(5)).
//
// Each start costs systemd one call and its one job; our only lasting match is for JobRemoved,
// which systemd emits for whoever queued a job, without Subscribe().
#pragma once

#include <sdbus-c++/IConnection.h>
#include <sdbus-c++/IProxy.h>
#include <sdbus-c++/Types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/call.hpp"
#include "bus/event.hpp"
#include "bus/task.hpp"

namespace berth::systemd {

/// Where scopes are when nothing else is asked for.
inline constexpr const char *default_slice = "machine.slice";

using Property = sdbus::Struct<std::string, sdbus::Variant>;

/// A scope to be made.
struct Scope {
    std::string unit;
    std::string description;
    int leader;                       ///< a pidfd, to be kept open until the task is done
    bool replaces;                    ///< a unit of that name is the rest of a machine, and is killed
    std::vector<Property> properties; ///< added to ours, and stronger
};

/// A connection to systemd's manager. Its tasks throw sdbus::Error with systemd's own error names
/// and messages that begin with what was being done; past their deadline, a timeout error.
class Manager {
public:
    Manager(sdbus::IConnection &bus, sd_event *loop);

    /// Starts a transient scope around the leader and waits until systemd's job is done. The end of
    /// an earlier scope of that name is waited for. If something lives in it, that is killed with
    /// Scope::replaces, else it is an error (machine_exists).
    Task<void> start_scope(Scope scope, Clock::time_point deadline);

    /// Stops `unit` and waits until it is inactive. A unit that is not there is stopped.
    Task<void> stop_unit(std::string unit, Clock::time_point deadline);

    /// Sends `signal` to all processes of `unit`.
    Task<void> kill_unit(std::string unit, int signal, Clock::time_point deadline);

    /// Clears the failed state that `unit` may be in; nobody waits for it.
    void reset_failed(const std::string &unit) noexcept;

private:
    struct Subscription;
    struct Unanswered;

    [[nodiscard]] sdbus::MethodCall start_call(const Scope &scope) const;
    [[nodiscard]] sdbus::MethodCall stop_call(const std::string &unit) const;
    [[nodiscard]] sdbus::MethodCall kill_call(const std::string &unit, int signal) const;
    Task<void> try_start(const Scope &scope, Clock::time_point deadline);
    Task<void> clear_away(std::string unit, Clock::time_point deadline);
    Task<std::vector<pid_t>> processes_of(std::string unit, Clock::time_point deadline);
    Task<void> require_unused(std::string unit, Clock::time_point deadline);
    Task<std::string> job(sdbus::MethodCall request, Clock::time_point deadline);
    Outcome<sdbus::MethodReply> send(const sdbus::MethodCall &request, Clock::time_point deadline);
    void tell(const sdbus::MethodCall &request) noexcept;
    [[nodiscard]] sdbus::MethodCall method(const char *member) const;
    void on_job_removed(sdbus::Signal signal);

    sdbus::IConnection &bus_;
    sd_event *loop_;
    std::unique_ptr<sdbus::IProxy> peer_;
    /// Jobs waited for, by path; systemd merges equal requests into one job.
    std::multimap<std::string, Outcome<std::string>> jobs_;
    std::map<std::string, std::string> early_; ///< by path: ended before their path was known to us
    unsigned unanswered_ = 0;                  ///< requests for jobs whose path is not known yet
    unsigned subscribers_ = 0;
    bool takes_pidfds_ = true;
};

} // namespace berth::systemd
