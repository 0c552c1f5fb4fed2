// SPDX-License-Identifier: LGPL-2.1-or-later
// How text looks on a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace berth::cli::style {

/// True when stdout is a terminal that shows colours, and nobody forbids them (NO_COLOR). What stdout
/// was when this and columns() were first called is what counts.
[[nodiscard]] bool on();

[[nodiscard]] std::string underlined(std::string_view text);
[[nodiscard]] std::string bold(std::string_view text);
[[nodiscard]] std::string grey(std::string_view text);
[[nodiscard]] std::string red(std::string_view text);
[[nodiscard]] std::string yellow(std::string_view text);

/// Columns of the terminal behind stdout; a large number when it is none.
[[nodiscard]] std::size_t columns();

/// Columns that UTF-8 `text` takes.
[[nodiscard]] std::size_t width(std::string_view text);

/// `text` in at most `columns` columns, with "…" in place of what was cut off.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t columns);

/// Text from a machine, without what would steer the terminal: control sequences are left out,
/// other control characters escaped.
[[nodiscard]] std::string printable(std::string_view text);

/// Prints "berth: `text`" to stderr; the text may hold what a machine said.
void complain(std::string_view text) noexcept;

} // namespace berth::cli::style
