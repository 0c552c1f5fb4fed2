// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/user_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/pidfd.hpp"
#include "kernel/namespaces.hpp"

namespace berth::user_namespace {

namespace {

void write_map(pid_t pid, const char *name, const id_map::Map &ranges) {
    std::string text;
    for (const id_map::Range &range : ranges)
        text += berth::format("{} {} {}\n", range.inside, range.outside, range.count);
    const std::string path = berth::format("/proc/{}/{}", pid, name);
    const unique_fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening {}", path);
    // the kernel wants the whole map in one write(2)
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        fail_errno("mapping the users of the machine ({})", path);
}

} // namespace

void write_maps(pid_t pid, const Maps &maps) {
    write_map(pid, "uid_map", maps.users);
    write_map(pid, "gid_map", maps.groups);
}

unique_fd make(const Maps &maps) {
    // A namespace needs a process to be born with it; this one does nothing else.
    const namespaces::Child child = namespaces::fork_into(CLONE_NEWUSER);
    if (child.pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        for (;;)
            ::pause();
    }
    struct End {
        int pidfd;
        ~End() { pidfd::end(pidfd); }
    };
    const End end{child.pidfd.get()};
    const pid_t pid = pidfd::pid_of(child.pidfd.get()); // in /proc it may have another number than to us
    write_maps(pid, maps);
    const std::string path = berth::format("/proc/{}/ns/user", pid);
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening {}", path);
    return fd;
}

} // namespace berth::user_namespace
