// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/tree_template.hpp"

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
#include "base/unique_fd.hpp"

namespace berth::tree_template {

namespace fs = std::filesystem;

namespace {

/// cp(1) knows all there is to copy: owners, times, ACLs, attributes, hard links, holes. It keeps `lock`,
/// since it outlives us when we are killed: nobody shall go on while it still writes.
void copy(const std::string &from, const std::string &to, int lock) {
    std::array<std::string, 6> words{"cp",        "--archive", "--one-file-system", "--reflink=auto",
                                     from + "/.", to};
    std::array<char *, words.size() + 1> pointers{};
    for (std::size_t i = 0; i < words.size(); ++i)
        pointers[i] = words[i].data();
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, lock, lock); // no longer closed by exec
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
        fail("copying the template {} to {}: cp failed", from, to);
}

} // namespace

void instantiate(const std::string &from, const std::string &tree) {
    if (fs::exists(tree))
        return;
    const fs::path path(tree);
    const std::string temporary =
        (path.parent_path() / (".#" + path.filename().native() + ".berth")).native();
    if (::mkdir(temporary.c_str(), 0700) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", temporary);
    const unique_fd lock(::open(temporary.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!lock)
        fail_errno("opening the directory {}", temporary);
    if (::flock(lock.get(), LOCK_EX) < 0)
        fail_errno("locking {}", temporary);
    if (fs::exists(tree))
        return; // another launcher was first
    for (const fs::directory_entry &rest : fs::directory_iterator(temporary))
        fs::remove_all(rest.path()); // of a copy that was cut short
    copy(from, temporary, lock.get());
    if (::syncfs(lock.get()) < 0)
        fail_errno("writing {} to disk", temporary);
    if (::rename(temporary.c_str(), tree.c_str()) < 0)
        fail_errno("giving {} its name", tree);
}

} // namespace berth::tree_template
