// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/own_copy.hpp"

#include <sys/statvfs.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/unique_fd.hpp"

namespace berth::own_copy {

namespace {

/// What is in no mount namespace has a path from the root of its mount: the folder of our programs.
bool is_copy(const std::filesystem::path &path, int program) {
    struct statvfs mount{};
    if (::fstatvfs(program, &mount) < 0)
        fail_errno("looking at our own program");
    return path.parent_path() == "/" && (mount.f_flag & ST_RDONLY) != 0;
}

} // namespace

void require() {
    if (::geteuid() != 0) // the programs are root's, whom others cannot write as
        return;
    const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe");
    const unique_fd program(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
    if (!program)
        fail_errno("opening our own program");
    if (is_copy(path, program.get()))
        return;
    std::vector<std::string> words = split(read_file("/proc/self/cmdline"), '\0');
    words.pop_back(); // each word ends in a zero byte
    std::vector<char *> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string &word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    become(path.parent_path().c_str(), path.filename().c_str(), pointers.data(), ::environ);
    fail_errno("starting from a read-only mount of {}, which a program that enters machines has to",
               path.native());
}

} // namespace berth::own_copy
