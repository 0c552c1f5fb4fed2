// SPDX-License-Identifier: LGPL-2.1-or-later
// Staying in the unit that we run in (--keep-unit): its control groups.
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace berth {

/// The payload's group in the unit we run in, kept for as long as we live.
class KeptUnit {
public:
    /// An init gets the unit's controllers, too.
    explicit KeptUnit(bool booting);
    KeptUnit(const KeptUnit &) = delete;
    KeptUnit &operator=(const KeptUnit &) = delete;
    ~KeptUnit();

    /// A fresh group: what the last boot left in it would keep a new init out.
    [[nodiscard]] int renew_payload();

private:
    std::string own_;
    std::string unit_;
    unique_fd payload_;
    bool moved_ = false;
};

} // namespace berth
