// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/scratch.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/error.hpp"
#include "base/many_descriptors.hpp"
#include "base/printable.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

constexpr const char *parent = "/var/tmp";
constexpr std::string_view prefix = ".#berth-";

/// However deep a machine has made it.
void take_away(const fs::path &folder) noexcept {
    try {
        const ManyDescriptors deep;
        fs::remove_all(folder);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "berth run: warning: %s\n", printable(error.what()).c_str());
    }
}

/// Removes the folders that nobody holds a lock on any more.
void sweep() {
    std::error_code error;
    for (const fs::directory_entry &entry : fs::directory_iterator(parent, error)) {
        if (!entry.path().filename().native().starts_with(prefix))
            continue;
        const unique_fd folder(::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat st{};
        if (!folder || ::fstat(folder.get(), &st) < 0 || st.st_uid != 0) // anybody may write to /var/tmp
            continue;
        if (::flock(folder.get(), LOCK_EX | LOCK_NB) == 0)
            take_away(entry.path());
    }
}

} // namespace

void Scratch::begin() {
    sweep();
    std::string name = berth::format("{}/{}XXXXXX", parent, prefix);
    if (::mkdtemp(name.data()) == nullptr)
        fail_errno("creating a temporary directory in {}", parent);
    folder_ = fs::canonical(name).native(); // /var/tmp may be a link
    lock_.reset(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) < 0)
        fail_errno("locking {}", folder_);
}

std::string Scratch::make_directory(unsigned owner, unsigned mode) const {
    // A random name: each boot of the machine has directories of its own, made by its own process.
    std::string path = folder_ + "/XXXXXX";
    if (::mkdtemp(path.data()) == nullptr || ::chown(path.c_str(), owner, owner) < 0
        || ::chmod(path.c_str(), mode) < 0)
        fail_errno("creating the directory {}", path);
    return path;
}

Scratch::~Scratch() {
    if (!folder_.empty())
        take_away(folder_);
}

} // namespace berth
