// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/helper.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/unique_fd.hpp"

namespace berth::helper {

namespace {

/// An unnamed file in memory, for what a program prints.
[[nodiscard]] unique_fd memory_file() {
    unique_fd file(::memfd_create("berth-helper", MFD_CLOEXEC));
    if (!file)
        fail_errno("creating a file in memory");
    return file;
}

[[nodiscard]] std::string content(const unique_fd &file, const std::string &program) {
    if (::lseek(file.get(), 0, SEEK_SET) < 0)
        fail_errno("reading what {} said", program);
    return read_all(file.get(), "what " + program + " said");
}

/// Starts `words` with no signal blocked or ignored.
[[nodiscard]] pid_t start(std::vector<std::string> &words, int output, int errors, std::string_view purpose) {
    std::vector<char *> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string &word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    char *nothing = nullptr;

    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, errors, STDERR_FILENO);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes, &signals);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid = 0;
    const int code = ::posix_spawn(&pid, pointers.front(), &files, &attributes, pointers.data(), &nothing);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&files);
    if (code != 0)
        fail_code(code, "starting {} to {}", words.front(), purpose);
    return pid;
}

} // namespace

std::string output_of(std::vector<std::string> words, std::string_view purpose) {
    const unique_fd output = memory_file();
    const unique_fd errors = memory_file();
    const pid_t pid = start(words, output.get(), errors.get(), purpose);
    const std::string &program = words.front();
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            fail_errno("waiting for {}", program);
    if (status != 0) {
        const std::string said = content(errors, program);
        if (WIFEXITED(status) && !trim(said).empty())
            fail("{}", trim(said));
        fail("{} was to {}: it ended with wait status {:#x}", program, purpose,
             static_cast<unsigned>(status));
    }
    return content(output, program);
}

} // namespace berth::helper
