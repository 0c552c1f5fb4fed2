// SPDX-License-Identifier: LGPL-2.1-or-later
#include "join/live_mounts.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "base/error.hpp"
#include "base/pidfd.hpp"
#include "base/rooted.hpp"
#include "join/bind_record.hpp"
#include "kernel/entering.hpp"
#include "kernel/fs_identity.hpp"
#include "kernel/mounts.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"

namespace berth::live_mounts {

namespace {

using namespace std::chrono_literals;

constexpr auto deadline = 30s;

/// Runs `work` in the machine's mount namespace, in a process of its own; its errors become ours.
/// It is given that process's descriptors as the host's /proc shows them (O_PATH): the machine's
/// own /proc is not to be trusted.
void inside(const join::Target &target, const std::function<void(int descriptors)> &work) {
    auto [ours, theirs] = protocol::make_pair();
    const namespaces::Child child = namespaces::fork_into(0);
    if (child.pid == 0)
        entering::run_child(theirs.get(), [&] {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            const unique_fd descriptors(::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
            if (!descriptors)
                fail_errno("opening /proc/self/fd");
            if (::setns(target.leader, CLONE_NEWNS) < 0)
                fail_errno("entering the machine's mount namespace");
            work(descriptors.get());
        });
    theirs.reset();
    try {
        (void)protocol::expect(ours.get(), protocol::Kind::end, deadline, "mounting into the machine");
    } catch (const Error &) {
        pidfd::end(child.pidfd.get());
        throw;
    }
    const siginfo_t end = pidfd::wait(child.pidfd.get());
    if (end.si_code != CLD_EXITED || end.si_status != 0)
        fail("the process that was to mount into the machine was killed");
}

unique_fd destination(const join::Target &target, const Request &request, bool directory) {
    const int root = target.root.get();
    if (request.make) {
        const FsIdentity identity(target.root_uid);
        const PlainRights plain(target.root_uid); // links may lead into what is bound from the host
        // Not behind links that lead nowhere: unbind() follows none.
        return directory ? rooted::make_directory_here(root, request.destination)
                         : rooted::make_mount_file_here(root, request.destination);
    }
    unique_fd fd = rooted::try_open(root, request.destination, O_PATH);
    if (!fd && errno == ENOENT)
        fail_code(ENOENT, "{} inside the machine; --mkdir makes it", request.destination);
    if (!fd)
        fail_errno("opening {} inside the machine", request.destination);
    struct stat st{};
    if (::fstat(fd.get(), &st) < 0)
        fail_errno("looking at {} inside the machine", request.destination);
    if (S_ISDIR(st.st_mode) != directory)
        fail_code(directory ? ENOTDIR : EISDIR, "{} inside the machine", request.destination);
    return fd;
}

bool is_mount_root(int fd) {
    struct statx st{};
    if (::statx(fd, "", AT_EMPTY_PATH, 0, &st) < 0)
        fail_errno("looking at a mount");
    return (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

} // namespace

void bind(const join::Target &target, const Request &request) {
    if (request.read_only && (target.namespaces & CLONE_NEWUSER) != 0)
        fail("the machine has users of its own, who could make a mount that comes later writable again: "
             "give it with --bind-ro= at the start");
    struct stat st{};
    if (::stat(request.source.c_str(), &st) < 0)
        fail_errno("{}", request.source);
    const unique_fd source = mounts::clone_tree(AT_FDCWD, request.source, true);
    if (request.read_only)
        mounts::set_attributes(source.get(), MOUNT_ATTR_RDONLY, 0, true);
    const BindRecord record(target.leader);
    const std::uint64_t mount = mounts::id_of(source.get());
    record.add(mount, request.destination);
    try {
        inside(target, [&](int) {
            const unique_fd place = destination(target, request, S_ISDIR(st.st_mode));
            mounts::attach(source.get(), place.get(), request.destination);
        });
    } catch (...) {
        record.remove(mount);
        throw;
    }
}

void unbind(const join::Target &target, const std::string &path) {
    const BindRecord record(target.leader);
    inside(target, [&](int descriptors) {
        const unique_fd place = rooted::open_plain(target.root.get(), path, O_PATH);
        const std::uint64_t mount = mounts::id_of(place.get());
        if (!is_mount_root(place.get()) || !record.has(mount))
            fail_code(EINVAL, "nothing that berth bind has mounted is on {} inside the machine", path);
        const std::string name = std::to_string(place.get());
        if (::fchdir(descriptors) < 0)
            fail_errno("entering /proc/self/fd");
        if (::umount2(name.c_str(), MNT_DETACH) < 0)
            fail_errno("unmounting {} inside the machine", path);
        record.remove(mount);
    });
}

} // namespace berth::live_mounts
