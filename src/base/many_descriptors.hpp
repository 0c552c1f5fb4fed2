// SPDX-License-Identifier: LGPL-2.1-or-later
// Walking down a tree holds a descriptor or two for each level, and others say how deep it is.
#pragma once

#include <sys/resource.h>

namespace berth {

/// As long as it lives, as many descriptors may be open as the hard limit allows (getrlimit(2)).
class ManyDescriptors {
public:
    ManyDescriptors();
    ~ManyDescriptors();
    ManyDescriptors(const ManyDescriptors &) = delete;
    ManyDescriptors &operator=(const ManyDescriptors &) = delete;

private:
    rlimit before_{};
};

} // namespace berth
