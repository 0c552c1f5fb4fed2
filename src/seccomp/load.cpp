// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/load.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>

#include "base/error.hpp"
#include "base/helper.hpp"
#include "base/io.hpp"
#include "base/unique_fd.hpp"
#include "kernel/syscall_filters.hpp"
#include "seccomp/bundle.hpp"

namespace berth::seccomp {

namespace {

namespace fs = std::filesystem;

/// FNV-1a. A collision costs time only: what is found is compared with what is looked for.
[[nodiscard]] std::uint64_t hash_of(std::string_view text) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3;
    }
    return hash;
}

[[nodiscard]] bool trusted(const struct stat &status, const Places &places) noexcept {
    return status.st_uid == places.owner && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// The cache's folder; empty when there is none to trust.
[[nodiscard]] unique_fd open_cache(const Places &places) noexcept {
    unique_fd folder(::open(places.cache.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status{};
    if (folder && (::fstat(folder.get(), &status) < 0 || !trusted(status, places)))
        folder.reset();
    return folder;
}

/// What the cache has under `key` for `wanted`; nothing when there is none to trust.
[[nodiscard]] std::optional<Bundle> cached(const std::string &key, const std::string &wanted,
                                           const Places &places) {
    const unique_fd folder = open_cache(places);
    if (!folder)
        return std::nullopt;
    // Not to be held up by a fifo.
    const unique_fd file(
        ::openat(folder.get(), key.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode) || !trusted(status, places)
        || status.st_size % static_cast<off_t>(sizeof(sock_filter)) != 0)
        return std::nullopt;
    try {
        auto bundle = decode(read_all(file.get(), key));
        if (bundle && bundle->recipe != wanted)
            bundle.reset();
        return bundle;
    } catch (const Error &) {
        return std::nullopt;
    }
}

/// Puts `data` into the cache under `key`, without a name until it is whole. Where the file system
/// cannot do that, by way of a temporary file. Throws Error when it could not be put there.
void store(const std::string &key, std::string_view data, const Places &places) {
    std::error_code ignored;
    fs::create_directories(places.cache.parent_path(), ignored);
    if (::mkdir(places.cache.c_str(), 0755) < 0 && errno != EEXIST)
        fail_errno("creating {}", places.cache.native());
    const unique_fd folder = open_cache(places);
    if (!folder)
        fail("{} is no folder that only its owner may write to", places.cache.native());
    constexpr mode_t mode = 0644;
    const unique_fd file(::openat(folder.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
    if (!file) {
        write_file_atomic(places.cache / key, data, mode);
        return;
    }
    write_all(file.get(), data, key);
    if (::fchmod(file.get(), mode) < 0)
        fail_errno("setting the mode of {}", key);
    // A name cannot be taken over: what is there was found to be of no use.
    ::unlinkat(folder.get(), key.c_str(), 0);
    if (::linkat(AT_FDCWD, descriptor_path(file.get()).c_str(), folder.get(), key.c_str(), AT_SYMLINK_FOLLOW)
        < 0)
        fail_errno("naming {}", (places.cache / key).native());
}

/// The words to start the compiler with.
[[nodiscard]] std::vector<std::string> command_for(const Request &request, const Places &places) {
    std::vector<std::string> words{places.compiler.native(),
                                   berth::format("--capabilities={:x}", request.capabilities)};
    if (request.suppress_sync)
        words.emplace_back("--suppress-sync");
    words.emplace_back("--");
    words.insert(words.end(), request.rules.begin(), request.rules.end());
    return words;
}

} // namespace

Filter load(const Request &request, const Places &places) {
    const std::string wanted = recipe(request);
    const std::string key = berth::format("{:016x}", hash_of(wanted));
    std::optional<Bundle> bundle = cached(key, wanted, places);
    if (!bundle) {
        const std::string data =
            helper::output_of(command_for(request, places), "compile the system call filter");
        bundle = decode(data);
        if (!bundle || bundle->recipe != wanted)
            fail("{} made a filter of another format or for another request: it is of another version than "
                 "this program; install both anew",
                 places.compiler.native());
        if (::geteuid() == places.owner) {
            try {
                store(key, data, places);
            } catch (const Error &) { // NOLINT(bugprone-empty-catch): it is there, if not for the next time
            }
        }
    }
    return {.programs = std::move(bundle->programs), .warnings = std::move(bundle->warnings)};
}

void install(const Programs &programs) {
    try {
        syscall_filters::install(programs);
    } catch (const Error &error) {
        if (error.code() == EACCES)
            fail_code(EACCES, "installing the machine's system call filter, which takes CAP_SYS_ADMIN or "
                              "no_new_privs");
        throw;
    }
}

} // namespace berth::seccomp
