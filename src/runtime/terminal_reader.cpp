// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/terminal_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <format>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"

namespace berth::terminal {

namespace {

namespace fs = std::filesystem;

/// A machine may have as many as it likes.
constexpr std::size_t most_processes = 256;

constexpr std::array reading{SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_splice};
constexpr std::array waiting{
    SYS_ppoll, SYS_pselect6, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_io_uring_enter,
#ifdef SYS_poll // architectures of old
    SYS_poll,  SYS_select,   SYS_epoll_wait,
#endif
};

/// Without asking whoever serves the file: a machine's own filesystem need not answer.
std::optional<FileId> id_at(int fd, const char *path, int flags) {
    struct statx st{};
    if (::statx(fd, path, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &st) < 0)
        return std::nullopt;
    return FileId{.inode = st.stx_ino, .major = st.stx_dev_major, .minor = st.stx_dev_minor};
}

bool has(pid_t pid, std::uint64_t fd, const FileId &file) {
    return id_at(AT_FDCWD, std::format("/proc/{}/fd/{}", pid, fd).c_str(), 0) == file;
}

/// A descriptor among the words of a system call.
std::uint64_t argument(const std::vector<std::string> &words, std::size_t at) {
    std::uint64_t value = 0;
    if (at < words.size() && words[at].starts_with("0x"))
        (void)std::from_chars(words[at].data() + 2, words[at].data() + words[at].size(), value, 16);
    return value & 0xffffffffU;
}

/// "NUMBER 0xARGUMENT …", or a word when it is in none.
bool thread_waits(pid_t pid, const fs::path &thread, const FileId &file) {
    const auto text = read_file_if_there(thread / "syscall");
    const std::vector<std::string> words = split(trim(text.value_or("")), ' ');
    const auto call = parse_unsigned(words[0]);
    if (!call || words.size() < 2)
        return false;
    const auto call_is = [&](const auto &calls) {
        return std::ranges::contains(calls, static_cast<long>(*call));
    };
    if (call_is(reading))
        return has(pid, argument(words, 1), file);
    if (*call == SYS_sendfile) // from its second one
        return has(pid, argument(words, 2), file);
    return call_is(waiting) && has(pid, 0, file);
}

class Search {
public:
    explicit Search(const FileId &file) : file_(file) {}

    bool find(pid_t pid) {
        if (++seen_ > most_processes)
            return true;
        std::vector<pid_t> children;
        for (const auto &thread : fs::directory_iterator(std::format("/proc/{}/task", pid))) {
            if (thread_waits(pid, thread.path(), file_))
                return true;
            for (const std::string &word :
                 split(trim(read_file_if_there(thread.path() / "children").value_or("")), ' '))
                if (const auto child = parse_unsigned(word))
                    children.push_back(static_cast<pid_t>(*child));
        }
        return std::ranges::any_of(children, [this](pid_t child) { return waits(child); });
    }

    bool waits(pid_t pid) {
        try {
            return find(pid);
        } catch (const Error &error) {
            return error.code() != ESRCH && error.code() != ENOENT;
        } catch (const fs::filesystem_error &) {
            return false; // it has gone
        }
    }

private:
    const FileId &file_;
    std::size_t seen_ = 0;
};

} // namespace

FileId id_of(int fd) {
    const auto id = id_at(fd, "", AT_EMPTY_PATH);
    if (!id)
        fail_errno("looking at a terminal");
    return *id;
}

bool waits_for_input(pid_t pid, const FileId &file) {
    return Search(file).waits(pid);
}

} // namespace berth::terminal
