// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include "base/error.hpp"

namespace berth::network {

namespace {

constexpr const char *folder = "/run/berth";
constexpr const char *file = "/run/berth/network.lock";

unique_fd open_file() {
    if (::mkdir(folder, 0755) < 0 && errno != EEXIST)
        fail_errno("creating {}", folder);
    unique_fd fd(::open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd)
        fail_errno("opening {}", file);
    return fd;
}

/// The byte of the file that stands for a port.
off_t place_of(const Port &port) {
    return port.host + (port.protocol == Port::Protocol::udp ? UINT16_MAX + 1 : 0);
}

} // namespace

unique_fd lock_links() {
    unique_fd lock = open_file();
    while (::flock(lock.get(), LOCK_EX) < 0)
        if (errno != EINTR)
            fail_errno("locking {}", file);
    return lock;
}

// Locks of these two kinds do not know of each other.
unique_fd claim_ports(const std::vector<Port> &ports) {
    unique_fd claim = open_file();
    for (const Port &port : ports) {
        struct flock lock{.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place_of(port), .l_len = 1};
        if (::fcntl(claim.get(), F_OFD_SETLK, &lock) == 0)
            continue;
        if (errno == EAGAIN || errno == EACCES)
            fail("port {} of the host leads into another machine already: take another, or end that machine",
                 port.host);
        fail_errno("locking port {} in {}", port.host, file);
    }
    return claim;
}

} // namespace berth::network
