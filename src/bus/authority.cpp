// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/authority.hpp"

#include <map>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "bus/call.hpp"
#include "bus/errors.hpp"

namespace berth {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr auto service_unknown = "org.freedesktop.DBus.Error.ServiceUnknown";
constexpr auto name_has_no_owner = "org.freedesktop.DBus.Error.NameHasNoOwner";

/// A person answers one at a time; each waits for minutes.
constexpr unsigned most_questions = 32;

/// A question to polkit, for as long as it waits.
class Asking {
public:
    Asking(std::map<std::uint32_t, unsigned> &counts, std::uint32_t uid) : counts_(counts), uid_(uid) {
        ++counts_[uid_];
    }
    Asking(const Asking &) = delete;
    Asking &operator=(const Asking &) = delete;
    ~Asking() {
        if (--counts_[uid_] == 0)
            counts_.erase(uid_);
    }

private:
    std::map<std::uint32_t, unsigned> &counts_;
    std::uint32_t uid_;
};

using CredsPtr = std::unique_ptr<sd_bus_creds, Releases<sd_bus_creds_unref>>;

} // namespace

Authority::Authority(sdbus::IConnection &bus, sd_bus *raw)
    : raw_(raw), bus_driver_(sdbus::createProxy(bus, sdbus::ServiceName("org.freedesktop.DBus"),
                                                sdbus::ObjectPath("/org/freedesktop/DBus"))),
      polkit_(sdbus::createProxy(bus, sdbus::ServiceName("org.freedesktop.PolicyKit1"),
                                 sdbus::ObjectPath("/org/freedesktop/PolicyKit1/Authority"))) {
}

Caller Authority::caller() const {
    sd_bus_message *message = ::sd_bus_get_current_message(raw_);
    const char *sender = message != nullptr ? ::sd_bus_message_get_sender(message) : nullptr;
    if (sender == nullptr)
        throw bus_error::make(bus_error::access_denied, "the message has no sender");
    return {.name = sender, .interactive = ::sd_bus_message_get_allow_interactive_authorization(message) > 0};
}

unique_fd Authority::caller_process() const {
    sd_bus_creds *creds = nullptr;
    const int result = ::sd_bus_query_sender_creds(::sd_bus_get_current_message(raw_),
                                                   SD_BUS_CREDS_PID | SD_BUS_CREDS_PIDFD, &creds);
    if (result < 0)
        fail_code(-result, "asking the bus for the caller's process");
    const CredsPtr owner(creds);
    int fd = -1;
    if (::sd_bus_creds_get_pidfd_dup(creds, &fd) >= 0)
        return unique_fd(fd);
    pid_t pid = 0;
    if (const int error = ::sd_bus_creds_get_pid(creds, &pid); error < 0)
        fail_code(-error, "asking the bus for the caller's process");
    return pidfd::open(pid);
}

Task<std::uint32_t> Authority::uid_of(std::string name) {
    sdbus::MethodCall request = bus_driver_->createMethodCall(sdbus::InterfaceName("org.freedesktop.DBus"),
                                                              sdbus::MethodName("GetConnectionUnixUser"));
    request << name;
    sdbus::MethodReply reply = co_await call(*bus_driver_, request, Clock::now() + seconds(30));
    std::uint32_t uid = 0;
    reply >> uid;
    co_return uid;
}

Task<void> Authority::require_root(Caller caller) {
    if (const auto uid = co_await uid_of(caller.name); uid != 0)
        throw bus_error::make(bus_error::access_denied, "only root may do this, not uid {}", uid);
}

/// See the D-Bus interface org.freedesktop.PolicyKit1.Authority, CheckAuthorization.
Task<Authority::Verdict> Authority::ask_polkit(Caller caller, std::string action, std::string machine) {
    using Subject = sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>>;
    using Result = sdbus::Struct<bool, bool, std::map<std::string, std::string>>;
    constexpr std::uint32_t allow_interaction = 1;

    sdbus::MethodCall request =
        polkit_->createMethodCall(sdbus::InterfaceName("org.freedesktop.PolicyKit1.Authority"),
                                  sdbus::MethodName("CheckAuthorization"));
    request << Subject("system-bus-name", {{"name", sdbus::Variant(caller.name)}}) << action
            << std::map<std::string, std::string>{{"machine", machine}}
            << (caller.interactive ? allow_interaction : 0U) << std::string();
    const auto patience = caller.interactive ? seconds(minutes(5)) : seconds(30); // someone types a password
    sdbus::MethodReply reply = co_await call(*polkit_, request, Clock::now() + patience);
    Result result;
    reply >> result;
    co_return result.get<0>() ? Verdict::granted
    : result.get<1>()         ? Verdict::needs_password
                              : Verdict::refused;
}

Task<void> Authority::require(Caller caller, std::string action, std::string machine) {
    const std::uint32_t uid = co_await uid_of(caller.name);
    if (uid == 0)
        co_return;
    if (const auto asking = asking_.find(uid); asking != asking_.end() && asking->second >= most_questions)
        throw bus_error::make(bus_error::limits_exceeded,
                              "machine \"{}\": too many requests of uid {} wait for polkit", machine, uid);
    const Asking counted(asking_, uid);
    Verdict verdict = Verdict::refused;
    try {
        verdict = co_await ask_polkit(caller, action, machine);
    } catch (const sdbus::Error &error) {
        if (error.getName() != service_unknown && error.getName() != name_has_no_owner)
            throw bus_error::while_doing("asking polkit about machine \"" + machine + "\"", error);
        throw bus_error::make(bus_error::access_denied,
                              "machine \"{}\": only root may do this, as polkit is not there to ask",
                              machine);
    }
    if (verdict == Verdict::needs_password)
        throw bus_error::make(bus_error::needs_interaction, "machine \"{}\": {} needs a password to be typed",
                              machine, action);
    if (verdict == Verdict::refused)
        throw bus_error::make(bus_error::access_denied, "machine \"{}\": polkit does not grant you {}",
                              machine, action);
}

} // namespace berth
