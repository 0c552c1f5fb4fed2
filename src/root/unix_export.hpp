// SPDX-License-Identifier: LGPL-2.1-or-later
// /run/host/unix-export of a machine is /run/systemd/nspawn/unix-export/NAME of the host: sockets
// made there can be reached from both (systemd's "Container Interface"; ssh unix/PATH uses it).
#pragma once

#include <string>

#include <sys/types.h>

#include "base/unique_fd.hpp"

namespace berth {

/// A small tmpfs on the host that is gone with us. What a killed launcher left goes when the next
/// machine of the name is started.
class UnixExport {
public:
    UnixExport() = default;
    UnixExport(const UnixExport &) = delete;
    UnixExport &operator=(const UnixExport &) = delete;
    ~UnixExport();

    /// Mounts it in our mount namespace, which must still be the host's. Returns false, and
    /// exports nothing, when another machine of this name has it.
    [[nodiscard]] bool mount(const std::string &name);

    /// Makes it the machine's, whose root is the user `owner`.
    void give(uid_t owner) const;

    /// A detached copy for the machine; empty when nothing is exported.
    [[nodiscard]] unique_fd clone() const;

private:
    std::string place_;
    unique_fd folder_; ///< locked: we are alive
    unique_fd host_;   ///< the mount namespace it is in
};

} // namespace berth
