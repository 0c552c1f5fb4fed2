// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/inspect/file.hpp"

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/rooted.hpp"
#include "berth/inspect/id_map.hpp"
#include "berth/ns/kinds.hpp"

namespace berth::cli {

namespace {

struct Free {
    void operator()(void *object) const noexcept { ::cap_free(object); }
};
using CapabilitiesPtr = std::unique_ptr<_cap_struct, Free>;

unique_fd open_file(const Subject &subject) {
    const unique_fd root(
        ::open(berth::format("/proc/{}/root", subject.pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root)
        fail_errno("opening the root directory of process {}", subject.pid);
    unique_fd file = rooted::try_open(root.get(), subject.file, O_PATH);
    if (!file) // not as if we lacked rights: the machine's file system says what it likes
        fail("--file={}: opening it in machine {}: {}", subject.file, subject.name, errno_text(errno));
    return file;
}

/// Whether it begins with "#!". What cannot be read is no script to the kernel either.
bool is_script(int fd) {
    const unique_fd readable(
        ::open(descriptor_path(fd).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    std::array<char, 2> start{};
    return readable && ::read(readable.get(), start.data(), start.size()) == 2 && start[0] == '#'
           && start[1] == '!';
}

/// Whether user `id` is root in the machine's user namespace or in one above it (in which we see it).
/// Says in words which.
bool counts_for(const Subject &subject, const id_map::Map &users, std::uint32_t id, std::string &words) {
    const unique_fd own = ns::open(subject.pid, *ns::find_kind("user"));
    const unique_fd ours = ns::open(::getpid(), *ns::find_kind("user"));
    const bool apart = own && ours && ns::id_of(own.get()) != ns::id_of(ours.get());
    if (id == 0) {
        words = apart ? "root of the host, above the machine's user namespace: they count"
                      : "root of the host, whose user namespace the machine is in: they count";
        return true;
    }
    if (apart && id_map::outside_of(users, 0) == id) {
        words = berth::format("{}, who is root of the machine's user namespace: they count", id);
        return true;
    }
    const unique_fd above = apart ? ns::parent_of(own.get()) : unique_fd();
    if (above && ns::id_of(above.get()) != ns::id_of(ours.get())) {
        words = berth::format(
            "{}, who is not root of the leader's user namespace; there are others between that and "
            "the host's, in which they may count: taken not to",
            id);
        return false;
    }
    words = berth::format(
        "{}, who is root neither of the {} user namespace nor of one above it: they do not count", id,
        apart ? "machine's" : "host's");
    return false;
}

exec_rules::Set set_of(const CapabilitiesPtr &found, cap_flag_t flag) {
    exec_rules::Set set = 0;
    for (int value = 0; value < ::cap_max_bits(); ++value) {
        cap_flag_value_t is_set = CAP_CLEAR;
        if (::cap_get_flag(found.get(), value, flag, &is_set) == 0 && is_set == CAP_SET)
            set |= exec_rules::Set{1} << static_cast<unsigned>(value);
    }
    return set;
}

void read_capabilities(const Subject &subject, int fd, const id_map::Map &users, InspectedFile &file) {
    // The kernel tells the owner as our user namespace has him, ID-mapped mounts reckoned in.
    const CapabilitiesPtr found(::cap_get_file(descriptor_path(fd).c_str()));
    exec_rules::FileCapabilities result;
    if (!found && (errno == ENODATA || errno == EOPNOTSUPP || errno == ENOSYS))
        return;
    if (!found && errno == EOVERFLOW) {
        result.ignored = file.relation = "they belong to a user namespace that is not above ours";
    } else if (!found) {
        fail("--file={}: reading its security.capability: {}", subject.file, errno_text(errno));
    } else {
        file.root_id = ::cap_get_nsowner(found.get());
        result.permitted = set_of(found, CAP_PERMITTED);
        result.inheritable = set_of(found, CAP_INHERITABLE);
        result.effective = set_of(found, CAP_EFFECTIVE) != 0;
        if (!counts_for(subject, users, *file.root_id, file.relation))
            result.ignored = berth::format("their root is user {} of the host", *file.root_id);
    }
    if (file.nosuid)
        result.ignored = "the mount is nosuid";
    if (file.script)
        result.ignored = "this is a script: those of its interpreter count";
    file.rules.capabilities = result;
}

void read_mode(const struct stat &st, InspectedFile &file) {
    file.mode = berth::format("{:04o}", st.st_mode & 07777);
    file.executable = (st.st_mode & 0111) != 0;
    if ((st.st_mode & S_ISUID) != 0)
        file.rules.set_uid = file.owner.value_or(0);
    if ((st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IXGRP) != 0)
        file.rules.set_gid = file.group.value_or(0);
    if (file.script)
        file.rules.set_id_ignored = "this is a script: those of its interpreter count";
    else if (file.nosuid)
        file.rules.set_id_ignored = "the mount is nosuid";
    else if (!file.owner || !file.group)
        file.rules.set_id_ignored =
            berth::format("its owner, {}:{} on the host, is nobody in the machine", st.st_uid, st.st_gid);
}

} // namespace

InspectedFile look_at_file(const Subject &subject) {
    const unique_fd fd = open_file(subject);
    struct stat st{};
    struct statvfs mount{};
    if (::fstat(fd.get(), &st) < 0 || ::fstatvfs(fd.get(), &mount) < 0)
        fail("--file={}: looking at it: {}", subject.file, errno_text(errno));
    if (!S_ISREG(st.st_mode))
        fail("--file={}: that is not a regular file in machine {}", subject.file, subject.name);
    const id_map::Map users = id_map::parse(read_proc(subject, "uid_map"));
    const id_map::Map groups = id_map::parse(read_proc(subject, "gid_map"));
    InspectedFile file;
    file.owner = id_map::inside_of(users, st.st_uid);
    file.group = id_map::inside_of(groups, st.st_gid);
    file.nosuid = (mount.f_flag & ST_NOSUID) != 0;
    file.script = is_script(fd.get());
    read_mode(st, file);
    read_capabilities(subject, fd.get(), users, file);
    return file;
}

} // namespace berth::cli
