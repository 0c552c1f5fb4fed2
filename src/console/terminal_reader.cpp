// SPDX-License-Identifier: LGPL-2.1-or-later
#include "console/terminal_reader.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/proc_stat.hpp"
#include "base/unique_fd.hpp"

namespace berth::terminal {

namespace {

namespace fs = std::filesystem;

/// A machine may have as many as it likes.
constexpr std::size_t most_threads = 1024;

/// The numbers of the calls that read from their first descriptor, or from their second, or wait for events.
/// The thread that looks may be there longer than what is destroyed at exit.
struct Calls {
    std::span<const int> reading;
    std::span<const int> sending;
    std::span<const int> waiting;
};

constexpr std::array native_reading{SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_splice};
constexpr std::array native_sending{SYS_sendfile};
/// The second is what one of the others goes on as, once the process has been stopped meanwhile.
constexpr std::array native_waiting{
    SYS_ppoll, SYS_restart_syscall, SYS_pselect6,   SYS_epoll_pwait, SYS_epoll_pwait2, SYS_io_uring_enter,
#ifdef SYS_poll // architectures of old
    SYS_poll,  SYS_select,          SYS_epoll_wait,
#endif
};
constexpr Calls native_calls{.reading = native_reading, .sending = native_sending, .waiting = native_waiting};

#ifdef __x86_64__
/// Those of i386, where we are x86-64 (arch/x86/entry/syscalls/syscall_32.tbl of Linux), in the same order.
constexpr std::array compat_reading{3, 145, 180, 333, 378, 313};
constexpr std::array compat_sending{187, 239};
constexpr std::array compat_waiting{309, 414, 0, 308, 413, 319, 441, 426, 168, 82, 142, 256};
constexpr Calls compat_calls{.reading = compat_reading, .sending = compat_sending, .waiting = compat_waiting};
#else
constexpr Calls compat_calls = native_calls;
#endif

/// Without asking whoever serves the file: a machine's own filesystem need not answer.
std::optional<FileId> id_at(int fd, const char *path, int flags) {
    struct statx st{};
    if (::statx(fd, path, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO | STATX_TYPE, &st) < 0)
        return std::nullopt;
    const bool is_device = S_ISCHR(st.stx_mode);
    return FileId{.inode = st.stx_ino,
                  .filesystem = makedev(st.stx_dev_major, st.stx_dev_minor),
                  .device = is_device ? makedev(st.stx_rdev_major, st.stx_rdev_minor) : 0};
}

bool is_controlled_by(pid_t pid, dev_t terminal) {
    const proc_stat::Fields fields(read_file_if_there(berth::format("/proc/{}/stat", pid)).value_or(""));
    return fields.number(proc_stat::terminal) == proc_stat::encoded(terminal);
}

bool has(pid_t pid, std::uint64_t fd, const FileId &file) {
    const auto id = id_at(AT_FDCWD, berth::format("/proc/{}/fd/{}", pid, fd).c_str(), 0);
    const dev_t own_terminal = makedev(5, 0); // /dev/tty
    return id && (*id == file || (id->device == own_terminal && is_controlled_by(pid, file.device)));
}

/// As stdin, or opened for this by the program itself.
bool waits_with(pid_t pid, const FileId &file) {
    for (std::uint64_t fd = 0; fd < 16; ++fd)
        if (fd != 1 && fd != 2 && has(pid, fd, file))
            return true;
    return false;
}

std::uint64_t word_at(const std::vector<std::string> &words, std::size_t at) {
    std::uint64_t value = 0;
    if (at < words.size() && words[at].starts_with("0x"))
        (void)std::from_chars(words[at].data() + 2, words[at].data() + words[at].size(), value, 16);
    return value;
}

/// A descriptor among the arguments of a system call.
std::uint64_t descriptor(const std::vector<std::string> &words, std::size_t at) {
    return word_at(words, at) & 0xffffffffU;
}

/// A program of the 32-bit kind has its own numbers; its stack and code, the last words, lie low.
const Calls &calls_of(const std::vector<std::string> &words) {
    constexpr std::uint64_t highest = 0xffffffff;
    const bool is_compat = words.size() > 2 && word_at(words, words.size() - 1) <= highest
                           && word_at(words, words.size() - 2) <= highest;
    return is_compat ? compat_calls : native_calls;
}

/// "NUMBER 0xARGUMENT … 0xSTACK 0xCODE", or a word when it is in none.
bool thread_waits(pid_t pid, const fs::path &thread, const FileId &file) {
    const auto text = read_file_if_there(thread / "syscall");
    if (!text)
        return fs::exists(thread); // the kernel does not tell
    const std::vector<std::string> words = split(trim(*text), ' ');
    const auto call = parse_unsigned(words[0]);
    if (!call || words.size() < 2)
        return false;
    const auto number = static_cast<int>(*call);
    const Calls &calls = calls_of(words);
    if (std::ranges::contains(calls.reading, number))
        return has(pid, descriptor(words, 1), file);
    if (std::ranges::contains(calls.sending, number))
        return has(pid, descriptor(words, 2), file);
    return std::ranges::contains(calls.waiting, number) && waits_with(pid, file);
}

class Search {
public:
    explicit Search(const FileId &file) : file_(file) {}

    bool find(pid_t pid) {
        std::vector<pid_t> children;
        for (const auto &thread : fs::directory_iterator(berth::format("/proc/{}/task", pid))) {
            if (++seen_ > most_threads || thread_waits(pid, thread.path(), file_))
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

/// The thread may be there longer than the question.
struct ReaderQuestion::Shared {
    unique_fd answered;
    std::atomic<bool> waits = true;
};

ReaderQuestion::ReaderQuestion(sd_event *event, pid_t pid, const FileId &file,
                               std::function<void(bool)> answer)
    : pid_(pid), file_(file), answer_(std::move(answer)), shared_(std::make_shared<Shared>()) {
    shared_->answered = unique_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!shared_->answered)
        fail_errno("creating an eventfd");
    sd_event_source *source = nullptr;
    if (const int r = ::sd_event_add_io(event, &source, shared_->answered.get(), EPOLLIN, on_answer, this);
        r < 0)
        fail_code(-r, "adding an eventfd to the event loop");
    source_.reset(source);
}

ReaderQuestion::~ReaderQuestion() = default;

void ReaderQuestion::ask() {
    try {
        std::thread([shared = shared_, pid = pid_, file = file_] {
            try {
                shared->waits = waits_for_input(pid, file);
            } catch (const std::exception &) {
                shared->waits = true;
            }
            (void)::eventfd_write(shared->answered.get(), 1);
        }).detach();
    } catch (const std::system_error &) { // no more threads: what is typed can wait
        shared_->waits = false;
        (void)::eventfd_write(shared_->answered.get(), 1);
    }
}

int ReaderQuestion::on_answer(sd_event_source *, int fd, std::uint32_t, void *self) {
    const auto &question = *static_cast<const ReaderQuestion *>(self);
    eventfd_t count = 0;
    if (::eventfd_read(fd, &count) == 0)
        question.answer_(question.shared_->waits);
    return 0;
}

} // namespace berth::terminal
