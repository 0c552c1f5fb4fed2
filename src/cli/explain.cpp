// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/explain.hpp"
#include "base/format.hpp"

namespace berth::cli {

std::string explain(std::string_view name, std::string_view message, std::string_view machine) {
    if (message.empty())
        message = name;
    constexpr std::string_view bus = "org.freedesktop.DBus.Error.";
    const std::string_view kind = name.starts_with(bus) ? name.substr(bus.size()) : std::string_view();
    if (name.ends_with(".NoSuchMachine")) // in machinectl's words, which scripts may know
        return (machine.empty() ? std::string(message) : berth::format("No machine '{}' known", machine))
               + "; berth list shows those that are";
    if (kind == "AccessDenied" || kind == "InteractiveAuthorizationRequired")
        return berth::format("{}; try it as root", message);
    if (kind == "ServiceUnknown" || kind == "NameHasNoOwner" || kind.starts_with("Spawn."))
        return berth::format("berthd cannot be reached: {}; see systemctl status berthd", message);
    if (kind == "FileNotFound" || kind == "NoServer" || kind == "Disconnected")
        return berth::format("the system bus cannot be reached: {}; is dbus.socket active?", message);
    if (kind == "NoReply" || kind == "Timeout")
        return berth::format("no answer in time: {}; see journalctl -u berthd", message);
    return std::string(message);
}

} // namespace berth::cli
