// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/tree_lock.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/error.hpp"

namespace berth::tree_lock {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr const char *folder = "/run/systemd/nspawn/locks";

/// Who shared a lock holds it alone for a moment when it goes.
constexpr auto patience = 100ms;
constexpr auto pause = 1ms;

void make_folder() {
    for (const char *path : {"/run/systemd", "/run/systemd/nspawn"})
        if (::mkdir(path, 0755) < 0 && errno != EEXIST)
            fail_errno("creating the directory {}", path);
    if (::mkdir(folder, 0700) < 0 && errno != EEXIST)
        fail_errno("creating the directory {}", folder);
}

/// The lock that is named for what is at the path.
std::string by_identity(const struct stat &st) {
    if (S_ISBLK(st.st_mode))
        return berth::format("{}/block-{}:{}", folder, ::major(st.st_rdev), ::minor(st.st_rdev));
    return berth::format("{}/inode-{}:{}", folder, st.st_dev, st.st_ino);
}

/// The lock beside it; nothing where none is needed.
std::optional<std::string> by_place(const fs::path &path, const struct stat &st) {
    if (S_ISBLK(st.st_mode))
        return std::nullopt; // a device is one and the same wherever its node is
    return (path.parent_path() / (".#" + path.filename().native() + ".lck")).native();
}

/// The lock by identity has to do where nobody can make one, or we cannot and only read.
bool can_do_without(int code, LockFile::Mode mode) {
    return code == EROFS || (mode == LockFile::Mode::shared && (code == EACCES || code == EPERM));
}

/// False when somebody else's lock is in the way.
bool try_beside(const std::string &path, LockFile::Mode mode, std::vector<LockFile> &held) {
    try {
        auto lock = LockFile::try_take(path, mode);
        if (lock)
            held.push_back(std::move(*lock));
        return !held.empty();
    } catch (const Error &error) {
        if (!can_do_without(error.code(), mode))
            throw;
        return true;
    }
}

/// Nothing when somebody else's lock is in the way.
std::vector<LockFile> try_take(const std::string &path, const struct stat &st, LockFile::Mode mode) {
    std::vector<LockFile> held;
    const auto beside = by_place(path, st);
    if (beside && !try_beside(*beside, mode, held))
        return {};
    auto lock = LockFile::try_take(by_identity(st), mode);
    if (!lock)
        return {};
    held.push_back(std::move(*lock));
    return held;
}

[[noreturn]] void fail_busy(const std::string &path, LockFile::Mode mode) {
    if (mode == LockFile::Mode::shared)
        throw Error(
            berth::format("{} is in use by a machine or program that may write to it: stop that first", path),
            EBUSY);
    throw Error(berth::format(
                    "{} is in use by another machine or program: stop that first, or let none of them write "
                    "to it (--ephemeral, --upper=, --read-only)",
                    path),
                EBUSY);
}

} // namespace

std::vector<LockFile> take(const std::string &path, const struct stat &st, LockFile::Mode mode) {
    if (path == "/")
        return {}; // the host's own, which is always in use
    make_folder();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        std::vector<LockFile> held = try_take(path, st, mode);
        if (!held.empty())
            return held;
        if (std::chrono::steady_clock::now() > deadline)
            fail_busy(path, mode);
        std::this_thread::sleep_for(pause);
    }
}

} // namespace berth::tree_lock
