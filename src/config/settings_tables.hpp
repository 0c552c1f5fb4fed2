// SPDX-License-Identifier: LGPL-2.1-or-later
// The parts that the table of settings is made of.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace berth::tables {

[[nodiscard]] std::span<const Setting> root();
[[nodiscard]] std::span<const Setting> exec();
[[nodiscard]] std::span<const Setting> limits();
[[nodiscard]] std::span<const Setting> files();
[[nodiscard]] std::span<const Setting> network();
[[nodiscard]] std::span<const Setting> unit();

/// The words that an option of the table takes; empty where it takes others.
[[nodiscard]] std::vector<std::string> exec_words(std::string_view option);
[[nodiscard]] std::vector<std::string> limits_words(std::string_view option);
[[nodiscard]] std::vector<std::string> files_words(std::string_view option);
[[nodiscard]] std::vector<std::string> unit_words(std::string_view option);

} // namespace berth::tables
