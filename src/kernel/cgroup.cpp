// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/cgroup.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"

namespace berth::cgroup {

namespace fs = std::filesystem;

fs::path mount_point() {
    struct statfs st{};
    if (::statfs("/sys/fs/cgroup", &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC)
        return "/sys/fs/cgroup";
    fail("there is no cgroup v2 hierarchy on /sys/fs/cgroup; berth needs a host that runs with it");
}

std::string path_of(pid_t pid) {
    const std::string file = pid == 0 ? "/proc/self/cgroup" : berth::format("/proc/{}/cgroup", pid);
    for (const std::string &line : split(read_file(file), '\n'))
        if (line.starts_with("0::"))
            return line.substr(3);
    fail("{} shows no cgroup v2 path; berth needs a host that runs with it", file);
}

std::string unit_part(std::string_view path) {
    const fs::path whole(path);
    fs::path part;
    fs::path unit;
    for (const fs::path &component : whole) {
        part /= component;
        if (component.extension() == ".scope" || component.extension() == ".service")
            unit = part;
    }
    return unit.empty() ? whole.native() : unit.native();
}

unique_fd make_subgroup(const std::string &parent, std::string_view name) {
    const fs::path path = mount_point() / parent.substr(1) / name;
    if (::mkdir(path.c_str(), 0755) < 0 && errno != EEXIST)
        fail_errno("creating the control group {}", path.native());
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening the control group {}", path.native());
    return fd;
}

void move(int directory, pid_t pid) {
    const unique_fd procs(::openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC));
    const std::string text = std::to_string(pid);
    if (!procs || ::write(procs.get(), text.data(), text.size()) < 0)
        fail_errno("moving process {} into its control group", pid);
}

void give(int directory, uid_t owner) {
    if (::fchown(directory, owner, owner) < 0)
        fail_errno("giving the machine its control group");
    // Documentation/admin-guide/cgroup-v2.rst, "Model of Delegation"; not every kernel has them all.
    for (const char *name :
         {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "memory.oom.group", "memory.reclaim"})
        if (::fchownat(directory, name, owner, owner, 0) < 0 && errno != ENOENT)
            fail_errno("giving the machine {} of its control group", name);
}

void delegate_controllers(const std::string &path) {
    const fs::path group = mount_point() / path.substr(1);
    for (const std::string &controller : split(trim(read_file(group / "cgroup.controllers")), ' ')) {
        if (controller.empty())
            continue;
        try {
            write_control(group / "cgroup.subtree_control", "+" + controller);
        } catch (const Error &error) {
            if (error.code() != EBUSY && error.code() != EOPNOTSUPP)
                throw;
        }
    }
}

void remove(const std::string &path) noexcept {
    try {
        const fs::path group = mount_point() / path.substr(1);
        std::error_code ignored;
        for (const fs::directory_entry &entry : fs::directory_iterator(group, ignored))
            if (entry.is_directory(ignored))
                remove(path + "/" + entry.path().filename().native());
        ::rmdir(group.c_str());
    } catch (const std::exception &) { // NOLINT(bugprone-empty-catch): the unit's end removes the rest
    }
}

} // namespace berth::cgroup
