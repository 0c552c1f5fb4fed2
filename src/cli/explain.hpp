// SPDX-License-Identifier: LGPL-2.1-or-later
// Errors from the bus for people.
#pragma once

#include <string>
#include <string_view>

namespace berth::cli {

/// The D-Bus error `name` with its message, in one line that says what to do. `machine` names the
/// machine that it is about, if any.
[[nodiscard]] std::string explain(std::string_view name, std::string_view message,
                                  std::string_view machine = {});

} // namespace berth::cli
