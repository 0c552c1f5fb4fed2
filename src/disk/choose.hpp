// SPDX-License-Identifier: LGPL-2.1-or-later
// Which partitions of an image a machine gets, and as what.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "config/image_policy.hpp"
#include "disk/table.hpp"

namespace berth::disk {

/// A partition that is to be mounted.
struct Use {
    std::size_t partition = 0; ///< index in the table
    std::string designator;
    std::string path;
    bool read_only = false;
    bool grow = false; ///< its filesystem is to fill the partition
    /// Why it cannot be mounted, as a sentence; empty when it can.
    std::string problem;

    /// What boot loaders read: mounted only where the tree has a place for it.
    [[nodiscard]] bool is_boot() const { return designator == "esp" || designator == "xbootldr"; }
};

struct Choice {
    std::vector<Use> uses; ///< parents before children
    std::string problem;   ///< why the image cannot be used at all, as a sentence; empty when it can

    /// The first reason why a machine cannot have this image, boot partitions aside.
    [[nodiscard]] std::string first_problem() const;
    [[nodiscard]] const Use *use_of(std::size_t partition) const;
};

/// Chooses among the partitions of `table`, as `policy` has it. `name` is how sentences call the image.
[[nodiscard]] Choice choose(const Table &table, const std::string &name,
                            const ImagePolicy &policy = ImagePolicy());

/// "partition 2 of NAME", or NAME when it has no partitions.
[[nodiscard]] std::string call(const Partition &partition, const std::string &name);

/// The designator of a partition whatever it is used for, empty when it has none.
[[nodiscard]] std::string designator_of(const Table &table, const Partition &partition);

} // namespace berth::disk
