// SPDX-License-Identifier: LGPL-2.1-or-later
// A machine's network, by way of berth-network: the launcher loads no library for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "network/plan.hpp"

namespace berth::network {

/// Sets the loopback of our own network namespace up: all that a machine needs whose plan wants
/// nothing (setup() does it for the others).
void raise_loopback();

/// Makes the links of a plan between us and the network namespace `netns`. Throws Error with the
/// program's own words; then nothing is left.
[[nodiscard]] Links setup(const Plan &plan, std::string_view machine, int netns);

/// Takes back what setup() did, when the machine has ended; `moved` as setup() returned it. Needed
/// before each next boot of the machine, too, which has a new network namespace. Returns what could
/// not be done, in words; empty when all was.
[[nodiscard]] std::string release(const Plan &plan, std::string_view machine, int netns,
                                  const std::vector<Moved> &moved) noexcept;

/// The forwarding of a plan's ports, for as long as it lives, and no longer than we do. It keeps
/// the machine's network namespace alive, so it has to go before that is expected to.
class Exposure {
public:
    /// Returns once it is at work. Throws Error with the program's own words.
    Exposure(const Plan &plan, std::string_view machine, int netns);
    Exposure(const Exposure &) = delete;
    Exposure &operator=(const Exposure &) = delete;
    ~Exposure();

    /// Readable once the program has ended, which it does not do by itself unless it fails.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }

private:
    void end() noexcept;

    unique_fd input_; ///< its end is the program's
    unique_fd pidfd_;
};

} // namespace berth::network
