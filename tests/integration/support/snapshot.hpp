// SPDX-License-Identifier: LGPL-2.1-or-later
// A tree as it is, to be compared with what it was.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace berth::test {

/// For each path below the root (and the root itself, "."): type, mode, owner, link count, device,
/// time of change to the nanosecond, extended attributes, link target, content (hashed).
using Snapshot = std::map<std::string, std::string>;

[[nodiscard]] Snapshot snapshot(const std::filesystem::path &root);

/// One line for each difference: what came, went, or is not as it was.
[[nodiscard]] std::vector<std::string> differences(const Snapshot &before, const Snapshot &after);

} // namespace berth::test
