// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ctl/client.hpp"

#include <poll.h>

#include <array>
#include <chrono>

#include "base/error.hpp"
#include "cli/style.hpp"

namespace berth::cli {

namespace {

const sdbus::ServiceName service{"org.berth1"};
const sdbus::ObjectPath manager_path{"/org/berth1"};

/// Stopping a machine may take systemd as long as the unit's TimeoutStopSec=, 90 s by default.
constexpr std::chrono::seconds call_deadline{120};

Properties all_properties(sdbus::IProxy &proxy, const char *interface) {
    return proxy.getAllProperties().onInterface(interface);
}

} // namespace

Manager::Manager(sdbus::IConnection &connection) : ProxyInterfaces(connection, service, manager_path) {
}

Properties Manager::properties() {
    return all_properties(getProxy(), org::berth1::Manager_proxy::INTERFACE_NAME);
}

void Manager::ask_os_release(const std::string &name,
                             std::function<void(std::map<std::string, std::string>)> answer) {
    getProxy()
        .callMethodAsync("GetMachineOSRelease")
        .onInterface(INTERFACE_NAME)
        .withArguments(name)
        .uponReplyInvoke([answer = std::move(answer)](std::optional<sdbus::Error> error,
                                                      std::map<std::string, std::string> fields) {
            answer(error ? std::map<std::string, std::string>() : std::move(fields));
        });
}

void Manager::ask_addresses(const std::string &name, std::function<void(Addresses)> answer) {
    getProxy()
        .callMethodAsync("GetMachineAddresses")
        .onInterface(INTERFACE_NAME)
        .withArguments(name)
        .uponReplyInvoke(
            [answer = std::move(answer)](std::optional<sdbus::Error> error, Addresses addresses) {
                answer(error ? Addresses() : std::move(addresses));
            });
}

std::unique_ptr<sdbus::IConnection> connect() {
    auto connection = sdbus::createSystemBusConnection();
    connection->setMethodCallTimeout(
        static_cast<std::uint64_t>(std::chrono::microseconds(call_deadline).count()));
    return connection;
}

Properties properties_of(sdbus::IConnection &connection, const sdbus::ObjectPath &machine) {
    const auto proxy = sdbus::createProxy(connection, service, machine);
    return all_properties(*proxy, org::berth1::Machine_proxy::INTERFACE_NAME);
}

void process_bus(sdbus::IConnection &connection) {
    if (connection.processPendingEvent())
        return;
    const auto data = connection.getEventLoopPollData();
    std::array<pollfd, 2> entries{{{.fd = data.fd, .events = data.events, .revents = 0},
                                   {.fd = data.eventFd, .events = POLLIN, .revents = 0}}};
    if (::poll(entries.data(), entries.size(), data.getPollTimeout()) < 0 && errno != EINTR)
        fail_errno("waiting for the bus");
}

int for_each_name(const std::vector<std::string> &names,
                  const std::function<void(const std::string &)> &action) {
    int code = 0;
    for (const std::string &name : names) {
        try {
            action(name);
        } catch (const sdbus::Error &error) {
            style::complain(explain(error.getName(), error.getMessage(), name));
            code = 1;
        } catch (const Error &error) {
            style::complain(error.what());
            code = 1;
        }
    }
    return code;
}

} // namespace berth::cli
