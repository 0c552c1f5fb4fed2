// SPDX-License-Identifier: LGPL-2.1-or-later
// berth list.
#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "berth/ctl/addresses.hpp"
#include "berth/ctl/client.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"

namespace berth::cli {

namespace {

constexpr unsigned unlimited_addresses = std::numeric_limits<unsigned>::max();

std::string field(const std::map<std::string, std::string> &fields, const char *name) {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
}

/// A machine with what is asked about it; some cannot tell, and are listed all the same.
struct Row {
    std::string name;
    std::string machine_class;
    std::string service;
    std::map<std::string, std::string> os;
    Addresses addresses;
    int answers_missing = 0;
};

/// The bus limits how many answers one may wait for; some dbus-daemons to 128.
constexpr std::size_t machines_at_once = 32;

void ask(Manager &manager, Row &row, bool with_addresses) {
    row.answers_missing = with_addresses ? 2 : 1;
    manager.ask_os_release(row.name, [&row](std::map<std::string, std::string> fields) {
        row.os = std::move(fields);
        --row.answers_missing;
    });
    if (with_addresses)
        manager.ask_addresses(row.name, [&row](Addresses addresses) {
            row.addresses = std::move(addresses);
            --row.answers_missing;
        });
}

/// Asks for many at a time: each answer may take the manager a look into the machine.
void ask_all(sdbus::IConnection &connection, Manager &manager, std::vector<Row> &rows, bool with_addresses) {
    for (std::size_t first = 0; first < rows.size(); first += machines_at_once) {
        const std::span<Row> some(rows.begin() + static_cast<std::ptrdiff_t>(first),
                                  std::min(machines_at_once, rows.size() - first));
        for (Row &row : some)
            ask(manager, row, with_addresses);
        while (std::ranges::any_of(some, [](const Row &row) { return row.answers_missing > 0; }))
            process_bus(connection);
    }
}

} // namespace

int list(const Invocation &invocation) {
    const Settings &settings = invocation.settings;
    // Programs get them all; people ask for more than the first.
    const unsigned most = settings.json() ? unlimited_addresses : settings.max_addresses.value_or(1);
    const auto connection = connect();
    Manager manager(*connection);
    std::vector<Row> rows;
    for (const auto &[name, machine_class, service, path] : manager.ListMachines())
        if (settings.all || !name.starts_with('.'))
            rows.push_back({.name = name, .machine_class = machine_class, .service = service});
    std::ranges::sort(rows, {}, &Row::name);
    ask_all(*connection, manager, rows, most > 0);

    std::vector<Table::Column> columns{{"MACHINE"}, {"CLASS"}, {"SERVICE"}, {"OS"}, {"VERSION"}};
    if (most > 0)
        columns.push_back({"ADDRESSES"});
    Table table(std::move(columns));
    for (const Row &row : rows) {
        std::vector<std::string> cells{row.name, row.machine_class, row.service, field(row.os, "ID"),
                                       field(row.os, "VERSION_ID")};
        if (most > 0)
            cells.push_back(addresses_text(row.addresses, most));
        table.add(std::move(cells));
    }
    table.print(settings, "machines");
    return 0;
}

} // namespace berth::cli
