// SPDX-License-Identifier: LGPL-2.1-or-later
// Acting on files as the machine's root: what we make is then the machine's (setfsuid(2)).
#pragma once

#include <sys/types.h>

namespace berth {

/// For as long as it lives, new files belong to `id` as user and group. Rights stay those of root.
class FsIdentity {
public:
    /// Nothing changes for 0.
    explicit FsIdentity(uid_t id);
    FsIdentity(const FsIdentity &) = delete;
    FsIdentity &operator=(const FsIdentity &) = delete;
    ~FsIdentity();

private:
    uid_t id_;
};

} // namespace berth
