// SPDX-License-Identifier: LGPL-2.1-or-later
// What the command line asks of systemd itself (org.freedesktop.systemd1(5)).
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace berth::cli {

/// The service that runs a machine.
[[nodiscard]] std::string service_of(const std::string &machine);

class Units {
public:
    explicit Units(sdbus::IConnection &connection);

    /// Starts all of `units` at the same time and waits. Returns, for each, what came of its job:
    /// "done", "failed", "timeout"…; or throws sdbus::Error when one is refused.
    [[nodiscard]] std::vector<std::string> start(const std::vector<std::string> &units);

    /// One property of a service, as text; empty when it cannot be had.
    [[nodiscard]] std::string service_property(const std::string &unit, const char *name);

    struct Change {
        std::string type; ///< "symlink", "unlink"…
        std::string file;
        std::string target;
    };
    /// Makes and removes the symlinks that [Install] sections ask for, and reloads systemd.
    [[nodiscard]] std::vector<Change> enable(const std::vector<std::string> &units);
    [[nodiscard]] std::vector<Change> disable(const std::vector<std::string> &units);

private:
    sdbus::IConnection &connection_;
    std::unique_ptr<sdbus::IProxy> manager_;
    std::map<std::string, std::string> results_; ///< of jobs, by path
    bool watching_jobs_ = false;
};

} // namespace berth::cli
