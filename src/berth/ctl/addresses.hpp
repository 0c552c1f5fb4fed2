// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <cstdint>
#include <string>
#include <vector>

namespace berth::cli {

/// As the bus has them: family and bytes.
using Addresses = std::vector<sdbus::Struct<std::int32_t, std::vector<std::uint8_t>>>;

/// One a line, at most `most`; "…" at the end stands for those left out.
[[nodiscard]] std::string addresses_text(const Addresses &addresses, unsigned most);

} // namespace berth::cli
