// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/id_range.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "base/error.hpp"
#include "base/id_map.hpp"
#include "base/io.hpp"
#include "kernel/id_maps.hpp"

namespace berth {

namespace {

// The ranges that systemd leaves to containers (its document "Users, Groups, UIDs and GIDs").
constexpr std::uint32_t lowest = 0x00080000U;
constexpr std::uint32_t highest = 0x6FFF0000U;
constexpr int attempts = 128;

constexpr const char *folder = "/run/systemd/nspawn-uid";
constexpr const char *turn_file = "/run/berth/users.lock";

bool may_be_picked(std::uint32_t base) {
    return base >= lowest && base <= highest && range_base(base) == base;
}

/// FNV-1a: the same name gets the same range on every host and in every start.
std::uint32_t hash(std::string_view text) {
    std::uint32_t value = 2166136261U;
    for (const unsigned char c : text)
        value = (value ^ c) * 16777619U;
    return value;
}

/// The ranges that are ours to give: where we have users of our own, they are few. Nothing where all are.
std::optional<std::vector<std::uint32_t>> own_ranges() {
    constexpr std::uint32_t size = 0x10000U;
    std::vector<std::uint32_t> bases;
    for (const id_map::Range &range : id_map::parse(read_file("/proc/self/uid_map"))) {
        if (range.count == UINT32_MAX)
            return std::nullopt;
        const std::uint64_t end = std::uint64_t{range.inside} + range.count;
        for (std::uint64_t base =
                 std::max<std::uint64_t>(size, (std::uint64_t{range.inside} + size - 1) / size * size);
             base + size <= end; base += size)
            bases.push_back(static_cast<std::uint32_t>(base));
    }
    return bases;
}

std::uint32_t to_candidate(std::uint32_t any) {
    constexpr std::uint32_t count = (highest - lowest) / 0x10000U + 1;
    return lowest + (any % count) * 0x10000U;
}

/// Whether the host knows users or groups in the range, as far as can be told without asking for all:
/// whoever gives out ranges of users names the first, the last, or the one that is nobody inside.
bool is_somebodys(std::uint32_t base) {
    return std::ranges::any_of(std::array{0x0000U, 0xFFFEU, 0xFFFFU}, [base](std::uint32_t offset) {
        return ::getpwuid(base + offset) != nullptr     // NOLINT(concurrency-mt-unsafe): one thread
               || ::getgrgid(base + offset) != nullptr; // NOLINT(concurrency-mt-unsafe): one thread
    });
}

/// What launchers lock while they pick. Nobody but root may open it: a lock on what all may read, all
/// may hold.
unique_fd open_turn() {
    std::filesystem::create_directories(std::filesystem::path(turn_file).parent_path());
    unique_fd turn(::open(turn_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!turn)
        fail_errno("opening {}", turn_file);
    return turn;
}

} // namespace

bool IdRange::take(std::uint32_t base) {
    lock_ = LockFile::try_take(berth::format("{}/{}", folder, base), LockFile::Mode::exclusive);
    base_ = lock_ ? base : 0;
    return lock_.has_value();
}

void IdRange::take_one_of(const std::vector<std::uint32_t> &own, std::uint32_t wanted,
                          std::string_view name) {
    if (own.empty())
        fail("machine \"{}\": we are in a machine with users of its own, who are too few to give some to "
             "another; "
             "use --private-users=identity, or start ours with more (--private-users=BASE:COUNT)",
             name);
    if (std::ranges::contains(own, wanted) && take(wanted))
        return;
    for (const bool usual : {true, false}) // where there are more, those that are for containers come first
        for (const std::uint32_t base : own)
            if (may_be_picked(base) == usual && take(base)) {
                if (!is_somebodys(base))
                    return;
                lock_.reset();
            }
    fail_code(EBUSY, "picking a range of users for machine \"{}\": none of our {} is free", name, own.size());
}

IdRange::IdRange(std::uint32_t wanted, std::string_view name) {
    std::filesystem::create_directories(folder);
    const unique_fd turn = open_turn();
    // Looking at a lock takes it for a moment: nobody shall find a range taken for that alone.
    if (::flock(turn.get(), LOCK_EX | LOCK_NB) == 0)
        remove_stale_locks(folder);
    if (::flock(turn.get(), LOCK_SH) < 0)
        fail_errno("locking {}", turn_file);
    if (const auto own = own_ranges()) {
        take_one_of(*own, wanted, name);
        return;
    }
    for (int attempt = 0; attempt < attempts; ++attempt) {
        std::uint32_t candidate = 0;
        if (attempt == 0)
            candidate = wanted; // files that are its already make it the machine's own
        else if (attempt == 1)
            candidate = to_candidate(hash(name));
        else if (::getrandom(&candidate, sizeof candidate, 0) == sizeof candidate)
            candidate = to_candidate(candidate);
        if (may_be_picked(candidate) && take(candidate) && (attempt == 0 || !is_somebodys(candidate)))
            return;
        lock_.reset();
    }
    fail_code(EBUSY, "picking a range of users for machine \"{}\": none of {} was free", name, attempts);
}

} // namespace berth
