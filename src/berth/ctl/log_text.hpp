// SPDX-License-Identifier: LGPL-2.1-or-later
// Journal entries as text.
#pragma once

#include <cstddef>
#include <string>

#include "systemd/journal.hpp"

namespace berth::cli {

/// An entry as lines, in one of journalctl(1)'s output modes: cat, json, json-pretty, or short and
/// its variants. Control characters are escaped; colours tell urgent ones. Lines of the short modes
/// take at most `columns`.
[[nodiscard]] std::string log_text(const journal::Entry &entry, const std::string &mode, std::size_t columns);

} // namespace berth::cli
