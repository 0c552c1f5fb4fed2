// SPDX-License-Identifier: LGPL-2.1-or-later
// Partitions held against an image policy.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/image_policy.hpp"

namespace berth::disk {

/// What a policy looks at in a partition that is there.
struct Appearance {
    ImagePolicy::Flags protection =
        0;                  ///< all that it qualifies for: verity, signature, encrypted, unprotected
    bool read_only = false; ///< the partition's flags
    bool grow = false;
};

/// True when `policy` lets partitions of that designator be used.
[[nodiscard]] bool may_use(const ImagePolicy &policy, std::string_view designator);

/// What `policy` has against a partition of that designator, or against there being none, as a
/// predicate ("is there, which …"); empty when it has nothing.
[[nodiscard]] std::string objection(const ImagePolicy &policy, std::string_view designator,
                                    const std::optional<Appearance> &found);

} // namespace berth::disk
