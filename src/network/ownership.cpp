// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/ownership.hpp"

#include <filesystem>

#include "base/format.hpp"
#include "base/io.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"

namespace berth::network {

namespace fs = std::filesystem;

std::string alias_of(const Owner &owner) {
    return berth::format("berth {} {}", owner.machine, owner.netns);
}

std::optional<Owner> owner_in(std::string_view alias) {
    const auto words = split(alias, ' ');
    if (words.size() != 3 || words[0] != "berth" || !machine_name_valid(words[1]))
        return std::nullopt;
    const auto netns = parse_unsigned(words[2]);
    if (!netns)
        return std::nullopt;
    return Owner{.machine = words[1], .netns = *netns};
}

bool namespace_in_use(std::uint64_t netns) {
    const std::string shown = berth::format("net:[{}]", netns);
    for (const auto &entry : fs::directory_iterator("/proc")) {
        if (!parse_unsigned(entry.path().filename().native()))
            continue;
        std::error_code gone;
        if (fs::read_symlink(entry.path() / "ns/net", gone) == shown)
            return true;
    }
    return read_file("/proc/self/mountinfo").contains(" " + shown + " ");
}

} // namespace berth::network
