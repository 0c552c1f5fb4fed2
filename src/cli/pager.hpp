// SPDX-License-Identifier: LGPL-2.1-or-later
// Long output goes through a pager, on a terminal.
#pragma once

#include "base/unique_fd.hpp"

namespace berth::cli {

/// While it lives, what is written to stdout goes to $BERTH_PAGER, $SYSTEMD_PAGER, $PAGER or the
/// first of the usual ones that there is. Nothing happens when stdout is no terminal, or when the
/// variable names "cat" or nothing.
class Pager {
public:
    explicit Pager(bool wanted);
    ~Pager();
    Pager(const Pager &) = delete;
    Pager &operator=(const Pager &) = delete;

private:
    unique_fd process_; ///< pidfd
};

} // namespace berth::cli
