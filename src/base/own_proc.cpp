// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/own_proc.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/unique_fd.hpp"

namespace berth::own_proc {

namespace {

constexpr ino_t root_inode = 1; // PROC_ROOT_INO of the kernel's <linux/proc_ns.h>

std::uint64_t mount_of(int fd) {
    struct statx st{};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
        fail_errno("looking at /proc");
    return st.stx_mnt_id;
}

} // namespace

void write(const std::string &name, std::string_view data) {
    const unique_fd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct statfs filesystem{};
    struct stat st{};
    if (!proc || ::fstatfs(proc.get(), &filesystem) < 0 || ::fstat(proc.get(), &st) < 0)
        fail_errno("opening /proc");
    if (filesystem.f_type != PROC_SUPER_MAGIC || st.st_ino != root_inode)
        fail("/proc is not the kernel's");
    const std::string path = "thread-self/" + name;
    const unique_fd file(::openat(proc.get(), path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
    if (!file)
        fail_errno("opening /proc/{}", path);
    if (mount_of(file.get()) != mount_of(proc.get()))
        fail("something is mounted on /proc/{}, or on the way there", path);
    write_all(file.get(), data, "/proc/" + path);
}

} // namespace berth::own_proc
