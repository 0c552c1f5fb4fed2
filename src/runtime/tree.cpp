// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/tree.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/rooted.hpp"
#include "runtime/api_mounts.hpp"
#include "runtime/devices.hpp"
#include "runtime/host_dir.hpp"
#include "runtime/mounts.hpp"
#include "runtime/root.hpp"

namespace berth::tree {

namespace {

struct Source {
    unique_fd mount;
    bool is_directory = true;
};

Source open_source(const MountPlan &plan) {
    Source source;
    if (plan.kind == MountPlan::Kind::tmpfs) {
        std::vector<mounts::Option> options{{"source", "tmpfs"}};
        bool has_mode = false;
        for (const std::string &option : split(plan.source, ',')) {
            const auto at = option.find('=');
            if (option.empty())
                continue;
            options.emplace_back(option.substr(0, at), at == std::string::npos ? "" : option.substr(at + 1));
            has_mode = has_mode || options.back().first == "mode";
        }
        if (!has_mode)
            options.emplace_back("mode", "0755");
        source.mount = mounts::new_filesystem("tmpfs", options, MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);
        return source;
    }
    struct stat st{};
    if (::stat(plan.source.c_str(), &st) < 0)
        fail_errno("looking at {}", plan.source);
    source.is_directory = S_ISDIR(st.st_mode);
    source.mount = mounts::clone_tree(AT_FDCWD, plan.source, plan.recursive);
    if (plan.read_only)
        mounts::set_attributes(source.mount.get(), MOUNT_ATTR_RDONLY, 0, true);
    return source;
}

/// The sources of all mounts, taken while the host's tree is still in sight.
std::vector<Source> open_sources(const LaunchPlan &plan) {
    std::vector<Source> sources;
    for (const MountPlan &mount : plan.mounts) {
        try {
            sources.push_back(open_source(mount));
        } catch (const Error &error) {
            throw Error(mount.origin.text + ": " + error.what(), error.code());
        }
    }
    return sources;
}

void attach_sources(const LaunchPlan &plan, int root, std::vector<Source> &sources) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const MountPlan &mount = plan.mounts[i];
        try {
            const unique_fd target = sources[i].is_directory
                                         ? rooted::make_directory(root, mount.destination)
                                         : rooted::make_mount_file(root, mount.destination);
            mounts::attach(sources[i].mount.get(), target.get(), mount.destination);
        } catch (const Error &error) {
            throw Error(mount.origin.text + ": " + error.what(), error.code());
        }
    }
}

unique_fd attach_root(const LaunchPlan &plan) {
    unique_fd mount = root::mount(plan.root);
    const unique_fd target(::open(root::staging, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!target)
        fail_errno("opening {}", root::staging);
    mounts::attach(mount.get(), target.get(), "the root");
    return mount;
}

/// pivot_root(2), "pivot_root(".", ".")": the old root ends up on top, and is let go.
void pivot(int root) {
    if (::fchdir(root) < 0)
        fail_errno("entering the machine's root");
    if (::syscall(SYS_pivot_root, ".", ".") < 0)
        fail_errno("making the machine's tree the root");
    if (::umount2(".", MNT_DETACH) < 0)
        fail_errno("letting the host's tree go");
    if (::chdir("/") < 0)
        fail_errno("entering the machine's root");
    // A booting systemd expects its mounts to propagate to what it starts.
    if (::mount(nullptr, "/", nullptr, MS_SHARED | MS_REC, nullptr) < 0)
        fail_errno("making the machine's mounts shared");
}

} // namespace

Built build(const LaunchPlan &plan) {
    if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0)
        fail_errno("cutting our mounts off from the host's");
    std::vector<Source> sources = open_sources(plan);
    Built built{.root = attach_root(plan), .console = {}, .console_slave = {}, .notify = {}};
    const int root = built.root.get();

    api_mounts::mount(root, (plan.namespaces & CLONE_NEWNET) != 0);
    devices::mount(root);
    host_dir::HostDir host = host_dir::make(root, uuid_of(plan.machine_id));
    host_dir::cover_kernel_files(root, uuid_of(plan.boot_id));
    attach_sources(plan, root, sources);
    if (plan.console != ConsoleMode::pipe) {
        devices::Console console = devices::make_console(root);
        built.console = std::move(console.master);
        built.console_slave = std::move(console.slave);
    }
    host_dir::seal(host);
    built.notify = std::move(host.notify);
    pivot(root);
    return built;
}

} // namespace berth::tree
