// SPDX-License-Identifier: LGPL-2.1-or-later
// Temporary directories on disk, for mounts whose source is left to us.
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace berth {

/// A folder below /var/tmp that goes with us. What a killed launcher left there goes when the
/// next one is made.
class Scratch {
public:
    Scratch() = default;
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;
    ~Scratch();

    /// Makes the folder. Who calls this keeps it, so a launcher does before it forks.
    void begin();

    /// A new, empty directory with the given owner and mode. begin() comes before it.
    [[nodiscard]] std::string make_directory(unsigned owner, unsigned mode) const;

private:
    std::string folder_;
    unique_fd lock_;
};

} // namespace berth
