// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of NAME=value lines with shell quoting, such as os-release(5).
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace berth {

/// Parses `text`; comments, blank lines and lines that make no sense are passed over.
[[nodiscard]] std::map<std::string, std::string> parse_env_file(std::string_view text);

} // namespace berth
