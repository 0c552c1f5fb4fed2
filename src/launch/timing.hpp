// SPDX-License-Identifier: LGPL-2.1-or-later
// How long each step of a start takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

class Timing {
public:
    enum class Form : std::uint8_t { none, text, json };

    /// Begins to count. `form`: what to_text() gives.
    explicit Timing(Form form = Form::none) : form_(form), begin_(Clock::now()) {}

    /// A step is done (steps.hpp).
    void reached(std::string_view step);

    /// What is to be told of the steps so far, with a new line at its end, as far as it was asked for. The times
    /// are in milliseconds: since the step before, and since the beginning.
    [[nodiscard]] std::string to_text() const;

private:
    using Clock = std::chrono::steady_clock;
    struct Step {
        std::string name;
        Clock::time_point at;
    };

    Form form_;
    Clock::time_point begin_;
    std::vector<Step> steps_;
};

} // namespace berth
