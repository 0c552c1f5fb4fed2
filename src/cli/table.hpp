// SPDX-License-Identifier: LGPL-2.1-or-later
// Rows and columns, as text for people and JSON for programs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/options.hpp"

namespace berth::cli {

class Table {
public:
    struct Column {
        std::string title; ///< upper case; its lower case is the key in JSON
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    /// One cell a column. An empty cell is printed as "-", in JSON as null. A cell may have
    /// several lines.
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

    /// Prints to stdout. `noun` names the rows in the footer ("machines").
    void print(const Settings &settings, std::string_view noun) const;

private:
    void print_text(const Settings &settings, std::string_view noun) const;
    void print_json(bool pretty) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

} // namespace berth::cli
