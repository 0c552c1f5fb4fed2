// SPDX-License-Identifier: LGPL-2.1-or-later
// Slows down a machine that does nothing but reboot: each boot costs systemd and udev something.
#pragma once

#include <algorithm>
#include <chrono>

namespace berth {

class Brake {
public:
    using Clock = std::chrono::steady_clock;

    void boots(Clock::time_point now) { booted_ = now; }

    /// How long to wait before the next boot, as the machine reboots.
    [[nodiscard]] std::chrono::milliseconds reboots(Clock::time_point now) {
        using namespace std::chrono_literals;
        quick_ = now - booted_ < 3s ? std::min(quick_ + 1, free + 5) : 0;
        return quick_ <= free ? 0ms : 500ms * (1 << (quick_ - free));
    }

private:
    static constexpr int free = 20; ///< quick ones in a row that cost nothing
    Clock::time_point booted_;
    int quick_ = 0;
};

} // namespace berth
