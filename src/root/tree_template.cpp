// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/tree_template.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "base/error.hpp"
#include "base/host_path.hpp"
#include "base/io.hpp"
#include "base/unique_fd.hpp"

namespace berth::tree_template {

namespace fs = std::filesystem;

namespace {

/// The copy's name until it is whole.
constexpr const char *copied = "tree";

/// cp(1) knows all there is to copy: owners, times, ACLs, attributes, hard links, holes. It keeps
/// `lock`, since it outlives us when we are killed: nobody shall go on while it still writes.
void copy(int from, int to, int lock, const std::string &what) {
    std::array<std::string, 6> words{"cp",
                                     "--archive",
                                     "--one-file-system",
                                     "--reflink=auto",
                                     descriptor_path(from) + "/.",
                                     descriptor_path(to)};
    std::array<char *, words.size() + 1> pointers{};
    for (std::size_t i = 0; i < words.size(); ++i)
        pointers[i] = words[i].data();
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    for (const int fd : {from, to, lock})
        ::posix_spawn_file_actions_adddup2(&actions, fd, fd); // no longer closed by exec
    pid_t pid = -1;
    const int code = ::posix_spawnp(&pid, "cp", &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
        fail_code(code, "starting cp");
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            fail_errno("waiting for cp");
    if (status != 0)
        fail("{}: cp failed", what);
}

bool is_there(int folder, const std::string &name) {
    struct stat st{};
    return ::fstatat(folder, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

unique_fd open_in(int folder, const std::string &name) {
    unique_fd fd(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd)
        fail_errno("opening the directory {}", name);
    return fd;
}

} // namespace

void instantiate(const std::string &from, const std::string &tree) {
    const fs::path path(tree);
    const std::string name = path.filename();
    const std::string temporary = ".#" + name + ".berth";
    const unique_fd folder = host_path::open(path.parent_path(), O_RDONLY | O_DIRECTORY);
    if (is_there(folder.get(), name))
        return;
    const unique_fd source = host_path::open(from, O_RDONLY | O_DIRECTORY);
    if (::mkdirat(folder.get(), temporary.c_str(), 0700) < 0 && errno != EEXIST)
        fail_errno("creating the directory {} beside {}", temporary, tree);
    const unique_fd lock = open_in(folder.get(), temporary);
    // What is written with our rights is written where nobody else can put links.
    host_path::require_roots(lock.get(), (path.parent_path() / temporary).native());
    if (::flock(lock.get(), LOCK_EX) < 0)
        fail_errno("locking {} beside {}", temporary, tree);
    if (is_there(folder.get(), name))
        return; // another launcher was first
    for (const fs::directory_entry &rest : fs::directory_iterator(descriptor_path(lock.get())))
        fs::remove_all(rest.path()); // of a copy that was cut short
    if (::mkdirat(lock.get(), copied, 0700) < 0)
        fail_errno("creating a directory in {} beside {}", temporary, tree);
    copy(source.get(), open_in(lock.get(), copied).get(), lock.get(),
         berth::format("copying the template {} to {}", from, tree));
    if (::syncfs(lock.get()) < 0)
        fail_errno("writing {} to disk", tree);
    if (::renameat(lock.get(), copied, folder.get(), name.c_str()) < 0)
        fail_errno("giving {} its name", tree);
    (void)::unlinkat(folder.get(), temporary.c_str(), AT_REMOVEDIR); // or the next one to come takes it
}

} // namespace berth::tree_template
