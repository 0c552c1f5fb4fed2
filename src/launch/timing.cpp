// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/timing.hpp"

#include "base/format.hpp"
#include "base/json.hpp"
#include "launch/steps.hpp"

namespace berth {

void Timing::reached(std::string_view step) {
    if (form_ != Form::none)
        steps_.push_back({std::string(step), Clock::now()});
    steps::reached(step);
}

std::string Timing::to_text() const {
    const auto milliseconds = [](Clock::duration time) {
        return std::chrono::duration<double, std::milli>(time).count();
    };
    std::string text;
    Json steps = Json::array();
    Clock::time_point before = begin_;
    for (const Step &step : steps_) {
        const double took = milliseconds(step.at - before);
        const double since = milliseconds(step.at - begin_);
        text += berth::format("{:<11} {:>9.2f} ms {:>9.2f} ms\n", step.name, took, since);
        steps.push_back({{"step", step.name}, {"milliseconds", took}, {"since", since}});
        before = step.at;
    }
    switch (form_) {
    case Form::none: return {};
    case Form::json: return json_text(Json{{"steps", steps}}) + "\n";
    case Form::text: break;
    }
    return berth::format("{:<11} {:>12} {:>12}\n", "STEP", "TOOK", "SINCE START") + text;
}

} // namespace berth
