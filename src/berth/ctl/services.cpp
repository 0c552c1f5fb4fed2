// SPDX-License-Identifier: LGPL-2.1-or-later
// berth start, enable, disable: machines as services of systemd.
#include <chrono>
#include <cstdio>

#include "base/error.hpp"
#include "berth/ctl/client.hpp"
#include "berth/ctl/units.hpp"
#include "cli/style.hpp"
#include "cli/verbs.hpp"
#include "systemd/journal.hpp"

namespace berth::cli {

namespace {

std::vector<std::string> services_of(const std::vector<std::string> &machines) {
    std::vector<std::string> units;
    for (const std::string &machine : machines)
        units.push_back(service_of(machine));
    return units;
}

/// What the service itself said last since then, or empty.
std::string last_words(const std::string &unit, std::uint64_t since) {
    std::string words;
    try {
        for (const journal::Entry &entry :
             journal::last({.unit = unit, .machine_id = {}, .since = since, .most = 20}))
            if (entry.field("_SYSTEMD_UNIT") == unit)
                words = entry.field("MESSAGE");
    } catch (const Error &) { // NOLINT(bugprone-empty-catch): it is a help, no more
    }
    return words;
}

/// Says why a service did not come up: what systemd knows, and its own last words.
void report_failure(Units &units, const std::string &machine, const std::string &result,
                    std::uint64_t since) {
    const std::string unit = service_of(machine);
    std::string reason = units.service_property(unit, "Result");
    if (reason.empty() || reason == "success")
        reason = result;
    const std::string words = last_words(unit, since);
    style::complain(berth::format("starting {} failed ({}){}{}; see journalctl -u {}", machine, reason,
                                  words.empty() ? "" : ": ", words, unit));
}

int start_services(sdbus::IConnection &connection, const std::vector<std::string> &machines) {
    Units units(connection);
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    const std::vector<std::string> results = units.start(services_of(machines));
    int code = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (results[i] == "done")
            continue;
        report_failure(
            units, machines[i], results[i],
            static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count()));
        code = 1;
    }
    return code;
}

void print(const std::vector<Units::Change> &changes, const Settings &settings) {
    if (settings.quiet)
        return;
    for (const Units::Change &change : changes) {
        if (change.type == "symlink")
            std::fprintf(stderr, "Created symlink '%s' → '%s'.\n", change.file.c_str(),
                         change.target.c_str());
        else
            std::fprintf(stderr, "Removed '%s'.\n", change.file.c_str());
    }
}

} // namespace

int start(const Invocation &invocation) {
    return start_services(*connect(), invocation.arguments);
}

int enable(const Invocation &invocation) {
    const auto connection = connect();
    std::vector<std::string> names = services_of(invocation.arguments);
    names.emplace_back("machines.target"); // what wants them has to be wanted too
    print(Units(*connection).enable(names), invocation.settings);
    return invocation.settings.now ? start_services(*connection, invocation.arguments) : 0;
}

int disable(const Invocation &invocation) {
    const auto connection = connect();
    print(Units(*connection).disable(services_of(invocation.arguments)), invocation.settings);
    return invocation.settings.now ? poweroff(invocation) : 0;
}

} // namespace berth::cli
