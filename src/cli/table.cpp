// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/table.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "base/format.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "cli/style.hpp"

namespace berth::cli {

namespace {

using Lines = std::vector<std::string>;

Lines lines_of(const std::string &cell) {
    Lines lines;
    for (const std::string &line : split(cell.empty() ? "-" : cell, '\n'))
        lines.push_back(style::printable(line));
    return lines;
}

/// Takes columns from the widest until `total` fits.
void fit(std::vector<std::size_t> &widths, std::size_t total) {
    const std::size_t gaps = widths.size() - 1;
    for (;;) {
        std::size_t sum = gaps;
        for (const std::size_t width : widths)
            sum += width;
        const auto widest = std::ranges::max_element(widths);
        if (sum <= total || *widest <= 4)
            return;
        --*widest;
    }
}

std::string padded(std::string text, std::size_t width) {
    const std::size_t has = style::width(text);
    if (has < width)
        text.append(width - has, ' ');
    return text;
}

} // namespace

void Table::print(const Settings &settings, std::string_view noun) const {
    if (settings.json())
        print_json(settings.output == "json-pretty");
    else
        print_text(settings, noun);
}

void Table::print_text(const Settings &settings, std::string_view noun) const {
    std::vector<std::size_t> widths;
    for (const Column &column : columns_)
        widths.push_back(settings.no_legend ? 0 : style::width(column.title));
    for (const auto &row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i)
            for (const std::string &line : lines_of(row[i]))
                widths[i] = std::max(widths[i], style::width(line));
    if (!settings.full)
        fit(widths, style::columns());

    const bool legend = !settings.no_legend;
    if (legend && !rows_.empty()) {
        std::string header;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const bool last = i + 1 == columns_.size();
            const std::string title = style::shortened(columns_[i].title, widths[i]);
            header += style::underlined(last && !style::on() ? title : padded(title, widths[i]));
            header += last ? "\n" : style::underlined(" ");
        }
        std::fputs(header.c_str(), stdout);
    }
    for (const auto &row : rows_) {
        std::vector<Lines> cells;
        std::size_t height = 0;
        for (const std::string &cell : row)
            height = std::max(height, cells.emplace_back(lines_of(cell)).size());
        for (std::size_t line = 0; line < height; ++line) {
            std::string text;
            for (std::size_t i = 0; i < cells.size(); ++i) {
                const std::string part =
                    line < cells[i].size() ? style::shortened(cells[i][line], widths[i]) : "";
                text += i + 1 == cells.size() ? part : padded(part, widths[i]) + " ";
            }
            std::printf("%s\n", text.c_str());
        }
    }
    if (!legend)
        return;
    const std::string footer = rows_.empty() ? berth::format("No {}.\n", noun)
                                             : berth::format("\n{} {} listed.\n", rows_.size(), noun);
    std::fputs(footer.c_str(), stdout);
}

void Table::print_json(bool pretty) const {
    auto rows = Json::array();
    for (const auto &row : rows_) {
        auto object = Json::object();
        for (std::size_t i = 0; i < row.size(); ++i) {
            std::string key = columns_[i].title;
            std::ranges::transform(key, key.begin(), [](unsigned char c) { return std::tolower(c); });
            if (row[i].empty())
                object[key] = nullptr;
            else
                object[key] = row[i];
        }
        rows.push_back(std::move(object));
    }
    // What a machine says of itself need not be UTF-8; JSON must be.
    const auto text = json_text(rows, pretty);
    std::printf("%s\n", text.c_str());
}

} // namespace berth::cli
