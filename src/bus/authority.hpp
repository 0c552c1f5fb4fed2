// SPDX-License-Identifier: LGPL-2.1-or-later
// Who asks, and whether they may: uid 0 always, others when polkit says so.
#pragma once

#include <sdbus-c++/IConnection.h>
#include <sdbus-c++/IProxy.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/unique_fd.hpp"
#include "bus/event.hpp"
#include "bus/task.hpp"

namespace berth {

/// The sender of a method call.
struct Caller {
    std::string name; ///< unique bus name
    bool interactive; ///< may be asked for a password
};

class Authority {
public:
    /// `raw` is the connection underneath `bus`.
    Authority(sdbus::IConnection &bus, sd_bus *raw);

    /// The sender of the call being handled.
    [[nodiscard]] Caller caller() const;

    /// The process of the sender of the call being handled, as a pidfd.
    [[nodiscard]] unique_fd caller_process() const;

    /// Throws the error AccessDenied unless the caller's uid is 0.
    Task<void> require_root(Caller caller);

    /// Throws AccessDenied unless the caller's uid is 0 or polkit grants `action` on `machine`, and
    /// LimitsExceeded when that user has asked too much already that waits for an answer.
    Task<void> require(Caller caller, std::string action, std::string machine);

private:
    enum class Verdict { granted, needs_password, refused };

    Task<std::uint32_t> uid_of(std::string name);
    Task<Verdict> ask_polkit(Caller caller, std::string action, std::string machine);

    sd_bus *raw_;
    std::unique_ptr<sdbus::IProxy> bus_driver_;
    std::unique_ptr<sdbus::IProxy> polkit_;
    std::map<std::uint32_t, unsigned> asking_; ///< questions under way, by the caller's uid
};

} // namespace berth
