// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/inspect/layers.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"

namespace berth::cli {

namespace {

/// The kernel writes what would look like its own punctuation as "\ooo".
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
        if (text[i] == '\\' && i + 3 < text.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
            plain +=
                static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

/// Splits lowerdir= at its colons; in it "\:" is a colon of a name.
void add_lowers(std::vector<std::string> &lowers, std::string_view list) {
    std::string current;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i] == '\\' && i + 1 < list.size()) {
            current += list[++i];
        } else if (list[i] == ':') {
            lowers.push_back(current);
            current.clear();
        } else {
            current += list[i];
        }
    }
    lowers.push_back(current);
}

/// The options of an overlay, as proc_pid_mountinfo(5) has them in its last field.
void read_overlay(RootMount &mount, std::string_view options) {
    for (const std::string &option : split(options, ',')) {
        const auto at = option.find('=');
        const std::string_view name = std::string_view(option).substr(0, at);
        const std::string value =
            at == std::string::npos ? "" : unescaped(std::string_view(option).substr(at + 1));
        if (name == "upperdir")
            mount.upper = value;
        else if (name == "lowerdir+") // layers given one by one, as we do
            mount.lowers.push_back(value);
        else if (name == "lowerdir")
            add_lowers(mount.lowers, value);
    }
}

bool is_read_only(std::string_view options) {
    return std::ranges::contains(split(options, ','), "ro");
}

} // namespace

// Not by libmount: it decodes the options before one can take them apart, and a comma in the name of
// a layer is then like any other.
RootMount root_mount_of(pid_t pid) {
    const std::string path = berth::format("/proc/{}/mountinfo", pid);
    std::optional<RootMount> found;
    for (const std::string &line : split(read_file(path), '\n')) {
        const std::vector<std::string> fields = split(line, ' ');
        const auto dash = std::ranges::find(fields, "-"); // after a varying number of optional fields
        if (fields.size() < 6 || fields[4] != "/" || fields.end() - dash < 4)
            continue;
        found = RootMount{.type = dash[1],
                          .read_only = is_read_only(fields[5]) || is_read_only(dash[3]),
                          .upper = {},
                          .lowers = {}};
        if (found->type == "overlay")
            read_overlay(*found, dash[3]);
    }
    if (!found) // the last one is the one on top
        fail("{} shows no mount at /", path);
    return std::move(*found);
}

} // namespace berth::cli
