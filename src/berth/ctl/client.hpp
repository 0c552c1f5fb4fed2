// SPDX-License-Identifier: LGPL-2.1-or-later
// The command line's end of the bus.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "berth/ctl/addresses.hpp"
#include "cli/explain.hpp"
#include "cli/options.hpp"
#include "org.berth1.Machine.proxy.hpp"
#include "org.berth1.Manager.proxy.hpp"

namespace berth::cli {

/// The manager, berthd. The bus starts it when it does not run.
class Manager final : public sdbus::ProxyInterfaces<org::berth1::Manager_proxy> {
public:
    explicit Manager(sdbus::IConnection &connection);
    ~Manager() { unregisterProxy(); }

    /// Properties by name.
    [[nodiscard]] std::map<sdbus::PropertyName, sdbus::Variant> properties();

    /// Asynchronous: the answer, or an empty one in place of an error, when the bus is processed.
    void ask_os_release(const std::string &name,
                        std::function<void(std::map<std::string, std::string>)> answer);
    void ask_addresses(const std::string &name, std::function<void(Addresses)> answer);

private:
    // We never subscribe to these.
    void onMachineNew(const std::string &, const sdbus::ObjectPath &) override {}
    void onMachineRemoved(const std::string &, const sdbus::ObjectPath &) override {}
};

/// A connection to the system bus without a thread of its own.
[[nodiscard]] std::unique_ptr<sdbus::IConnection> connect();

/// All properties of a machine.
using Properties = std::map<sdbus::PropertyName, sdbus::Variant>;
[[nodiscard]] Properties properties_of(sdbus::IConnection &connection, const sdbus::ObjectPath &machine);

/// One property, or `otherwise` where there is none of this name and type.
template <class T>
[[nodiscard]] T property(const Properties &properties, const char *name, T otherwise = {}) {
    const auto found = properties.find(sdbus::PropertyName(name));
    if (found == properties.end() || !found->second.containsValueOfType<T>())
        return otherwise;
    return found->second.get<T>();
}

/// Waits for something on the bus and handles it. Answers to asynchronous calls come this way.
void process_bus(sdbus::IConnection &connection);

/// Does `action` for each name, goes on after errors, which it prints. Returns an exit code.
[[nodiscard]] int for_each_name(const std::vector<std::string> &names,
                                const std::function<void(const std::string &)> &action);

} // namespace berth::cli
