// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/call.hpp"

#include <algorithm>

namespace berth {

Outcome<sdbus::MethodReply> call(sdbus::IProxy &peer, const sdbus::MethodCall &message,
                                 Clock::time_point deadline) {
    using std::chrono::microseconds;
    const Outcome<sdbus::MethodReply> outcome;
    // Not 0, which stands for the library's own default.
    const auto left =
        std::max(std::chrono::duration_cast<microseconds>(deadline - Clock::now()), microseconds(1));
    peer.callMethodAsync(
        message,
        [outcome](sdbus::MethodReply reply, std::optional<sdbus::Error> error) {
            if (error)
                outcome.fail_with(std::move(*error));
            else
                outcome.give(std::move(reply));
        },
        left);
    return outcome;
}

} // namespace berth
