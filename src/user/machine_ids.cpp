// SPDX-License-Identifier: LGPL-2.1-or-later
#include "user/machine_ids.hpp"

#include <algorithm>
#include <string>

#include "base/parse.hpp"

namespace berth::user {

namespace {

void add_ids(std::string_view database, std::vector<std::uint64_t> &ids) {
    for (const std::string &line : split(database, '\n')) {
        const std::vector<std::string> fields = split(line, ':'); // the ID is the third in both files
        if (fields.size() > 2)
            if (const auto id = parse_unsigned(fields[2]))
                ids.push_back(*id);
    }
}

} // namespace

bool has_name(std::string_view database, std::string_view name) {
    return std::ranges::any_of(split(database, '\n'), [&](const std::string &line) {
        return std::string_view(line).substr(0, line.find(':')) == name;
    });
}

std::optional<std::uint32_t> free_id(std::string_view passwd, std::string_view group, std::uint32_t count,
                                     const std::vector<std::uint32_t> &taken) {
    std::vector<std::uint64_t> used(taken.begin(), taken.end());
    add_ids(passwd, used);
    add_ids(group, used);
    for (std::uint32_t id = first_mapped_id; id <= last_mapped_id && id < count; ++id)
        if (!std::ranges::contains(used, id))
            return id;
    return std::nullopt;
}

} // namespace berth::user
