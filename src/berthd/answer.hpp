// SPDX-License-Identifier: LGPL-2.1-or-later
// From a task to the reply of a D-Bus method.
#pragma once

#include <sdbus-c++/Error.h>
#include <sdbus-c++/MethodResult.h>

#include <functional>
#include <utility>

#include "berthd/log.hpp"
#include "bus/errors.hpp"
#include "bus/task.hpp"

namespace berth {

/// Nothing else to be done once the answer is out.
struct Nothing {
    void operator()(const auto & /*value*/) const noexcept {}
};

/// Runs `work` and answers with what `convert` makes of its value, or with the error it threw.
/// `after` is called with the value once the answer is on its way.
template <class... Reply, class T, class Convert, class After = Nothing>
Task<void> answer(sdbus::Result<Reply...> result, Task<T> work, Convert convert, After after = {}) {
    try { // for the answering itself, which fails when the bus is gone
        std::exception_ptr failure;
        try {
            const T value = co_await std::move(work);
            result.returnResults(convert(value));
            after(value);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure)
            result.returnError(bus_error::from(failure));
    } catch (const sdbus::Error &error) {
        log::warning("answering a call: {}", error.what());
    }
}

/// As above, with the value as it is.
template <class T> Task<void> answer(sdbus::Result<T> result, Task<T> work) {
    return answer(std::move(result), std::move(work), std::identity());
}

inline Task<void> answer(sdbus::Result<> result, Task<void> work) {
    try {
        std::exception_ptr failure;
        try {
            co_await std::move(work);
            result.returnResults();
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure)
            result.returnError(bus_error::from(failure));
    } catch (const sdbus::Error &error) {
        log::warning("answering a call: {}", error.what());
    }
}

} // namespace berth
