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

/// For as long as it lives, an FsIdentity for `id` may write only where that user may, and not in
/// what it was given of the host's. Nothing changes for 0.
class PlainRights {
public:
    explicit PlainRights(uid_t id);
    PlainRights(const PlainRights &) = delete;
    PlainRights &operator=(const PlainRights &) = delete;
    ~PlainRights();

private:
    uid_t id_;
};

} // namespace berth
