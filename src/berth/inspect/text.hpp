// SPDX-License-Identifier: LGPL-2.1-or-later
// How reports are laid out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

/// Rows of cells, each column as wide as its widest cell, a line each. Cells are made printable.
[[nodiscard]] std::string aligned(const std::vector<std::vector<std::string>> &rows);

/// `words` with blanks between, after `title`, in lines of at most `columns` columns; lines after the
/// first begin below the first word. "none" for no words.
[[nodiscard]] std::string wrapped(std::string_view title, const std::vector<std::string> &words,
                                  std::size_t columns);

/// `words` with `separator` between; "none" for no words.
[[nodiscard]] std::string joined(const std::vector<std::string> &words, std::string_view separator = ", ");

/// Every line of `text` after `indent`.
[[nodiscard]] std::string indented(std::string_view text, std::string_view indent);

} // namespace berth::cli
