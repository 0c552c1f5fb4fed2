// SPDX-License-Identifier: LGPL-2.1-or-later
// Ranges of 65536 users that are nobody else's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/lock_file.hpp"

namespace berth {

/// A picked range, ours for as long as this lives. systemd-nspawn sees our locks, and we see its.
/// Locks that killed launchers left are removed when the next range is picked.
class IdRange {
public:
    /// Picks a range: the one from `wanted` on if it may be picked and is free, else one made from
    /// `name`, else any. Throws Error when none is found.
    IdRange(std::uint32_t wanted, std::string_view name);

    [[nodiscard]] std::uint32_t base() const { return base_; }

private:
    bool take(std::uint32_t base);
    void take_one_of(const std::vector<std::uint32_t> &own, std::uint32_t wanted, std::string_view name);

    std::uint32_t base_ = 0;
    std::optional<LockFile> lock_;
};

} // namespace berth
