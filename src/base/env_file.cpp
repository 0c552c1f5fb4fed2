// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/env_file.hpp"

#include "base/parse.hpp"

namespace berth {

namespace {

/// Undoes shell quoting as far as such files may use it: '…', "…" and backslashes.
std::string unquote(std::string_view value) {
    std::string out;
    char quote = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (quote != 0 && c == quote)
            quote = 0;
        else if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
        else if (quote != '\'' && c == '\\' && i + 1 < value.size())
            out.push_back(value[++i]);
        else
            out.push_back(c);
    }
    return out;
}

} // namespace

std::map<std::string, std::string> parse_env_file(std::string_view text) {
    std::map<std::string, std::string> fields;
    for (const std::string &whole : split(text, '\n')) {
        const std::string_view line = trim(whole);
        const auto at = line.find('=');
        if (line.empty() || line.starts_with('#') || at == 0 || at == std::string_view::npos)
            continue;
        fields[std::string(line.substr(0, at))] = unquote(line.substr(at + 1));
    }
    return fields;
}

} // namespace berth
