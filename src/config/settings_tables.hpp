// SPDX-License-Identifier: LGPL-2.1-or-later
// The parts that the table of settings is made of.
#pragma once

#include <span>

#include "config/settings.hpp"

namespace berth::tables {

[[nodiscard]] std::span<const Setting> root();
[[nodiscard]] std::span<const Setting> exec();
[[nodiscard]] std::span<const Setting> limits();
[[nodiscard]] std::span<const Setting> files();
[[nodiscard]] std::span<const Setting> network();
[[nodiscard]] std::span<const Setting> unit();

} // namespace berth::tables
