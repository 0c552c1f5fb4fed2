// SPDX-License-Identifier: LGPL-2.1-or-later
// Programs that go into machines run from a mount that nobody can write through: those inside can open
// /proc/PID/exe of what they see, and have it executed again by naming it as an interpreter
// (CVE-2019-5736). The mount is in no mount namespace, and so out of reach of mount(2) and
// mount_setattr(2).
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth::own_copy {

/// Becomes `program` of the folder `folder`, by way of a read-only copy of the mount that it is on. Comes
/// back, with errno, when that does not work: for one, without CAP_SYS_ADMIN. Needs libc alone.
inline void become(const char *folder, const char *program, char *const *argv, char *const *environment) {
    const int copy = ::open_tree(AT_FDCWD, folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (copy < 0)
        return;
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(copy, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0)
        ::syscall(SYS_execveat, copy, program, argv, environment, 0);
    ::close(copy);
}

/// To be called before a machine is entered: begins anew, with the same arguments, unless we run from such a
/// mount already, or are not root. Throws Error when that cannot be had.
void require();

} // namespace berth::own_copy
