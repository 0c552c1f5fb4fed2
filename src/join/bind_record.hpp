// SPDX-License-Identifier: LGPL-2.1-or-later
// What has been mounted into a machine that runs: its unmounting is not to be led elsewhere by what the
// machine has made of the path meanwhile. Kept with the control group of the machine's unit (user.* of
// xattr(7)), and so gone with it.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"

namespace berth {

class BindRecord {
public:
    /// Of the machine whose leader is behind the pidfd `leader`.
    explicit BindRecord(int leader);

    /// `mount` is as mounts::id_of() tells it. Throws Error when it cannot be written down.
    void add(std::uint64_t mount, const std::string &path) const;
    [[nodiscard]] bool has(std::uint64_t mount) const;
    void remove(std::uint64_t mount) const noexcept;

private:
    unique_fd group_;
};

} // namespace berth
