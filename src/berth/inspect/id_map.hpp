// SPDX-License-Identifier: LGPL-2.1-or-later
// The maps of user namespaces (user_namespaces(7)), in words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/id_map.hpp"

namespace berth::cli {

/// A line for each range; `what` is "users" or "groups", with which the first begins.
[[nodiscard]] std::vector<std::string> in_words(const id_map::Map &map, std::string_view what);

} // namespace berth::cli
