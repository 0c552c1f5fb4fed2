// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/inspect/text.hpp"

#include <algorithm>

#include "base/parse.hpp"
#include "cli/style.hpp"

namespace berth::cli {

std::string aligned(const std::vector<std::vector<std::string>> &rows) {
    std::vector<std::vector<std::string>> clean;
    std::vector<std::size_t> widths;
    for (const auto &row : rows) {
        std::vector<std::string> &cells = clean.emplace_back();
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            cells.push_back(style::printable(row[i]));
            widths[i] = std::max(widths[i], style::width(cells[i]));
        }
    }
    std::string text;
    for (const auto &cells : clean) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            line += cells[i];
            if (i + 1 < cells.size())
                line.append(widths[i] - style::width(cells[i]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string wrapped(std::string_view title, const std::vector<std::string> &words, std::size_t columns) {
    const std::string indent(style::width(title), ' ');
    std::string text(title);
    std::size_t used = style::width(title);
    bool first = true;
    for (const std::string &word : words.empty() ? std::vector<std::string>{"none"} : words) {
        const std::size_t width = style::width(word);
        if (!first && used + 1 + width > columns) {
            text += "\n" + indent;
            used = indent.size();
            first = true;
        }
        text += (first ? "" : " ") + word;
        used += width + (first ? 0 : 1);
        first = false;
    }
    return text + "\n";
}

std::string joined(const std::vector<std::string> &words, std::string_view separator) {
    std::string text;
    for (const std::string &word : words) {
        if (!text.empty())
            text += separator;
        text += word;
    }
    return text.empty() ? "none" : text;
}

std::string indented(std::string_view text, std::string_view indent) {
    std::string result;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1);
        if (text.front() != '\n')
            result += indent;
        result += text.substr(0, end + 1);
        text.remove_prefix(end + 1);
    }
    return result;
}

} // namespace berth::cli
