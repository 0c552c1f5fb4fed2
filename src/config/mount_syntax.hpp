// SPDX-License-Identifier: LGPL-2.1-or-later
// The ":"-syntax of mounts on command lines and in files (systemd-nspawn(1), "Mount Options").
// All throw Error that says what is wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/machine_config.hpp"

namespace berth {

/// Splits at ":"; "\:" stands for a colon, "\\" for a backslash.
[[nodiscard]] std::vector<std::string> split_mount(std::string_view text);

/// `text` of a bind or, when `overlay`, of an overlay with each relative source (marks aside) made
/// absolute as seen from `directory`, as the command line has it.
[[nodiscard]] std::string with_absolute_sources(std::string_view text, bool overlay,
                                                const std::string &directory);

/// [-][+]SOURCE[:DESTINATION[:OPTIONS]] with the options rbind, norbind, idmap, noidmap, rootidmap
/// and owneridmap. An empty SOURCE is a new temporary directory.
[[nodiscard]] MountConfig parse_bind(std::string_view text, bool read_only, const Origin &origin);

/// PATH[:OPTIONS].
[[nodiscard]] MountConfig parse_tmpfs(std::string_view text, const Origin &origin);

/// PATH.
[[nodiscard]] MountConfig parse_inaccessible(std::string_view text, const Origin &origin);

/// [-][+]PATH[:[+]PATH…]:DESTINATION, lowest first; with two paths the second is upper and
/// destination. An empty last layer is a new temporary directory.
[[nodiscard]] MountConfig parse_overlay(std::string_view text, bool read_only, const Origin &origin);

/// PATH[:PATH] of --pivot-root=.
void parse_pivot(std::string_view text, std::string &new_root, std::string &old_root);

} // namespace berth
