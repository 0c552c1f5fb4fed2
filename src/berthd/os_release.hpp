// SPDX-License-Identifier: LGPL-2.1-or-later
// os-release(5) of a running machine.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace berth::os_release {

using Fields = std::map<std::string, std::string>;

/// The file's text, from the root of the leader behind `pidfd`. It may block for as long as the
/// machine likes. Throws Error when there is none.
[[nodiscard]] std::string read(int pidfd);

/// The fields in `text` that can be told on the bus: names as os-release(5) has them, values in
/// UTF-8 without control characters.
[[nodiscard]] Fields parse(std::string_view text);

} // namespace berth::os_release
