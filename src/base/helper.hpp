// SPDX-License-Identifier: LGPL-2.1-or-later
// Programs of ours that do what the launcher is not to load libraries for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::helper {

/// Runs `words`, the first of them the program's path, with nothing on stdin and no environment, and
/// returns what it prints. Throws Error with the program's own words when it fails; else, `purpose`
/// says what it was to do: "compile the system call filter".
[[nodiscard]] std::string output_of(std::vector<std::string> words, std::string_view purpose);

} // namespace berth::helper
