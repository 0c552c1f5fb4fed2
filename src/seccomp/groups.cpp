// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/groups.hpp"

#include <algorithm>

#include "seccomp/words.hpp"

namespace berth::seccomp {

namespace {

constexpr std::string_view table =
#include "seccomp/groups.inc"
    ;

/// Calls `line` with each line of the table that is no comment.
template <class Line> void for_each_line(Line &&line) {
    for (std::string_view rest = table; !rest.empty();) {
        const std::string_view text = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(text.size() + 1, rest.size()));
        if (!text.empty() && !text.contains('#'))
            line(text);
    }
}

} // namespace

std::set<std::string_view> members(std::string_view name) {
    std::set<std::string_view> found;
    bool inside = false;
    for_each_line([&](std::string_view line) {
        if (line.starts_with('@')) {
            inside = line == name;
        } else if (inside) {
            for (const std::string_view word : words(line)) {
                if (word.starts_with('@'))
                    found.merge(members(word));
                else
                    found.insert(word);
            }
        }
    });
    return found;
}

std::vector<std::string_view> group_names() {
    std::vector<std::string_view> names;
    for_each_line([&](std::string_view line) {
        if (line.starts_with('@'))
            names.push_back(line);
    });
    return names;
}

} // namespace berth::seccomp
