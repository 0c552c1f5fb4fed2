// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/error.hpp"

namespace berth::network {

unique_fd lock_links() {
    constexpr const char *folder = "/run/berth";
    constexpr const char *file = "/run/berth/network.lock";
    if (::mkdir(folder, 0755) < 0 && errno != EEXIST)
        fail_errno("creating {}", folder);
    unique_fd lock(::open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock)
        fail_errno("opening {}", file);
    while (::flock(lock.get(), LOCK_EX) < 0)
        if (errno != EINTR)
            fail_errno("locking {}", file);
    return lock;
}

} // namespace berth::network
