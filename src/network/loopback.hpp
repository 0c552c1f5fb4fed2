// SPDX-License-Identifier: LGPL-2.1-or-later
// Ports of a machine on addresses of the host that the packet filter cannot lead elsewhere: the loopback's,
// and those that are good on one link only. What comes there is handed on by us.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "network/plan.hpp"
#include "network/table.hpp"

namespace berth::network {

class Loopback {
public:
    /// Listens, but for ports that a program of the host's has there already.
    explicit Loopback(std::vector<Port> ports);
    Loopback(const Loopback &) = delete;
    Loopback &operator=(const Loopback &) = delete;
    ~Loopback();

    /// Hands on to `target` from now on; refuses where it has no address.
    void aim(const Target &target);

    /// Listens on the addresses that the host's links have by now.
    void follow_links();

private:
    struct Listener {
        unique_fd socket;
        Port port;
    };
    /// What connections share with us, and may outlast us in.
    struct Shared {
        std::mutex mutex;
        Target target;
        int connections = 0;
        int datagrams = 0;
    };

    void serve();
    /// Does `work` in a thread, one of those that `count` counts, unless there are too many.
    template <class Work> void begin(int Shared::*count, Work work);
    void accept_on(const Listener &listener);
    void pass_datagram(const Listener &listener);
    void wake() const;

    std::vector<Port> ports_;
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
    std::mutex mutex_;                                       ///< of the listeners
    std::map<std::string, std::vector<Listener>> listeners_; ///< by the address that they are on
    unique_fd waker_;
    bool ending_ = false;
    std::thread thread_;
};

} // namespace berth::network
