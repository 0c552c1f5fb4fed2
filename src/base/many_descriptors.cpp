// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/many_descriptors.hpp"

#include "base/error.hpp"

namespace berth {

ManyDescriptors::ManyDescriptors() {
    if (::getrlimit(RLIMIT_NOFILE, &before_) < 0)
        fail_errno("reading the limit of open files");
    const rlimit most{.rlim_cur = before_.rlim_max, .rlim_max = before_.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &most) < 0)
        fail_errno("raising the limit of open files");
}

ManyDescriptors::~ManyDescriptors() {
    (void)::setrlimit(RLIMIT_NOFILE, &before_); // lowering the soft limit always works
}

} // namespace berth
