// SPDX-License-Identifier: LGPL-2.1-or-later
// The OS trees that tests run machines from.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "support/process.hpp"

namespace berth::test {

/// Images that the test host has; no test writes to them.
inline constexpr const char *debian_tree = "/var/lib/machines/debian";
inline constexpr const char *busybox_tree = "/var/lib/machines/busybox";

/// A folder on a tmpfs, gone with its owner.
class Folder {
public:
    Folder();
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;
    ~Folder();

    [[nodiscard]] const std::filesystem::path &path() const { return path_; }
    [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

    /// Writes a file below, with the folders above it.
    std::filesystem::path write(std::string_view name, std::string_view content) const;

private:
    std::filesystem::path path_;
};

/// A small tree of a test's own: busybox, and an init that does what its first argument says (see
/// test_init.cpp). Machines may write to it.
class SmallTree : public Folder {
public:
    SmallTree();
};

[[nodiscard]] std::string text_of(const std::filesystem::path &file);

} // namespace berth::test
