// SPDX-License-Identifier: LGPL-2.1-or-later
#include "launch/network.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "build.hpp"

namespace berth::network {

using namespace std::chrono_literals;

namespace {

/// Milliseconds are usual; a kernel may load modules, and others may hold the lock.
constexpr std::chrono::milliseconds deadline = 60s;

// Where the program finds what it inherits.
constexpr int netns_fd = 3;
constexpr int log_fd = 4;

unique_fd make_memfd() {
    unique_fd fd(::memfd_create("berth-network", MFD_CLOEXEC));
    if (!fd)
        fail_errno("creating a memfd");
    return fd;
}

std::string content(const unique_fd &memfd) {
    if (::lseek(memfd.get(), 0, SEEK_SET) < 0)
        fail_errno("reading what berth-network said");
    return read_all(memfd.get(), "what berth-network said");
}

/// What the program said, without its name.
std::string words_of(const unique_fd &errors) {
    const std::string text = content(errors);
    const std::string said(trim(text));
    constexpr std::string_view name = "berth-network: ";
    return said.starts_with(name) ? said.substr(name.size()) : said;
}

struct Stdio {
    int input;
    int output;
    int errors;
};

/// Attributes and actions of a posix_spawn(3).
class Spawn {
public:
    Spawn() {
        require(::posix_spawnattr_init(&attributes_));
        require(::posix_spawn_file_actions_init(&actions_));
    }
    Spawn(const Spawn &) = delete;
    Spawn &operator=(const Spawn &) = delete;
    ~Spawn() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }

    /// In a process group of its own: what a terminal sends to ours is not meant for it.
    void separate() {
        sigset_t none;
        ::sigemptyset(&none);
        sigset_t all;
        ::sigfillset(&all);
        require(::posix_spawnattr_setsigmask(&attributes_, &none));
        require(::posix_spawnattr_setsigdefault(&attributes_, &all));
        require(::posix_spawnattr_setpgroup(&attributes_, 0));
        require(::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
                                                             | POSIX_SPAWN_SETPGROUP));
    }
    void give(int fd, int as) { require(::posix_spawn_file_actions_adddup2(&actions_, fd, as)); }

    [[nodiscard]] unique_fd start(const std::string &program, const char *verb) const {
        // execve(2) does not write to them.
        const std::array<char *, 3> words{const_cast<char *>("berth-network"), const_cast<char *>(verb),
                                          nullptr};
        int pidfd = -1;
        if (const int code =
                ::pidfd_spawn(&pidfd, program.c_str(), &actions_, &attributes_, words.data(), environ);
            code != 0)
            fail_code(code, "starting {}", program);
        return unique_fd(pidfd);
    }

private:
    static void require(int code) {
        if (code != 0)
            fail_code(code, "preparing to start berth-network");
    }

    posix_spawnattr_t attributes_{};
    posix_spawn_file_actions_t actions_{};
};

unique_fd start(const char *verb, const Stdio &stdio, int netns) {
    // Above all numbers that the program will use, so that none is overwritten before it is copied.
    std::array<unique_fd, 5> given;
    const std::array from{stdio.input, stdio.output, stdio.errors, netns, STDERR_FILENO};
    Spawn spawn;
    spawn.separate();
    for (std::size_t as = 0; as < given.size(); ++as) {
        given[as].reset(::fcntl(from[as], F_DUPFD_CLOEXEC, static_cast<int>(given.size())));
        if (!given[as])
            fail_errno("copying a descriptor for berth-network");
        spawn.give(given[as].get(), static_cast<int>(as));
    }
    return spawn.start(std::string(build::libexecdir) + "/berth-network", verb);
}

bool readable_in_time(int fd) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
        pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
        const int result = ::poll(&waited, 1, left > 0 ? static_cast<int>(left) : 0);
        if (result >= 0 || errno != EINTR)
            return result > 0;
    }
}

/// Waits for the end, and makes it come if it does not. The wait status as waitid(2) tells it.
siginfo_t reap(int pidfd) {
    if (!readable_in_time(pidfd))
        pidfd::send_signal(pidfd, SIGKILL);
    return pidfd::wait(pidfd);
}

struct Outcome {
    bool succeeded = false;
    bool killed = false;
    std::string out;
    std::string words;
};

Request request_for(const Plan &plan, std::string_view machine) {
    return {.machine = std::string(machine), .netns = netns_fd, .log = log_fd, .plan = plan, .moved = {}};
}

Outcome run(const char *verb, const Request &request, int netns) {
    const unique_fd input = make_memfd();
    const unique_fd output = make_memfd();
    const unique_fd errors = make_memfd();
    write_all(input.get(), request_text(request) + "\n", "the request for a network");
    if (::lseek(input.get(), 0, SEEK_SET) < 0)
        fail_errno("writing the request for a network");
    const unique_fd child =
        start(verb, {.input = input.get(), .output = output.get(), .errors = errors.get()}, netns);
    const siginfo_t end = reap(child.get());
    Outcome outcome{.succeeded = end.si_code == CLD_EXITED && end.si_status == 0,
                    .killed = end.si_code != CLD_EXITED,
                    .out = content(output),
                    .words = words_of(errors)};
    if (outcome.killed)
        outcome.words = berth::format("berth-network {} was ended by signal {}", verb, end.si_status);
    else if (!outcome.succeeded && outcome.words.empty())
        outcome.words = berth::format("berth-network {} ended with status {}", verb, end.si_status);
    return outcome;
}

/// Waits until the program says so on `output`, or ends.
bool wait_until_ready(int output) {
    constexpr std::string_view expected = "ready\n";
    std::string said;
    std::array<char, 64> buffer{};
    while (said != expected) {
        if (!readable_in_time(output))
            return false;
        const ssize_t n = ::read(output, buffer.data(), buffer.size());
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        said.append(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    }
    return true;
}

} // namespace

void raise_loopback() {
    const unique_fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket)
        fail_errno("opening a socket to set up the loopback");
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) < 0)
        fail_errno("looking at the loopback");
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) < 0)
        fail_errno("setting up the loopback");
}

Links setup(const Plan &plan, std::string_view machine, int netns) {
    const Outcome outcome = run("setup", request_for(plan, machine), netns);
    if (outcome.succeeded)
        return parse_links(outcome.out);
    // One that was killed could not undo what it had done.
    const std::string rest = outcome.killed ? release(plan, machine, netns, {}) : "";
    throw Error(rest.empty() ? outcome.words : outcome.words + "; " + rest);
}

std::string release(const Plan &plan, std::string_view machine, int netns,
                    const std::vector<Moved> &moved) noexcept {
    try {
        Request request = request_for(plan, machine);
        request.moved = moved;
        const Outcome outcome = run("release", request, netns);
        return outcome.succeeded ? std::string() : outcome.words;
    } catch (const std::exception &error) {
        return error.what();
    }
}

Exposure::Exposure(const Plan &plan, std::string_view machine, int netns) {
    const unique_fd errors = make_memfd();
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input.data()) < 0)
        fail_errno("creating a socket pair for berth-network");
    input_.reset(input[0]);
    unique_fd theirs(input[1]);
    if (::pipe2(output.data(), O_CLOEXEC) < 0)
        fail_errno("creating a pipe for berth-network");
    const unique_fd said(output[0]);
    unique_fd saying(output[1]);
    pidfd_ = start("expose", {.input = theirs.get(), .output = saying.get(), .errors = errors.get()}, netns);
    theirs.reset();
    saying.reset();
    const std::string request = request_text(request_for(plan, machine)) + "\n";
    const bool sent = ::send(input_.get(), request.data(), request.size(), MSG_NOSIGNAL)
                      == static_cast<ssize_t>(request.size());
    if (sent && wait_until_ready(said.get()))
        return;
    end();
    const std::string words = words_of(errors);
    fail("{}",
         words.empty() ? "berth-network, which forwards the machine's ports, did not get ready" : words);
}

Exposure::~Exposure() {
    end();
}

void Exposure::end() noexcept {
    input_.reset();
    try {
        (void)reap(pidfd_.get());
    } catch (const Error &) { // NOLINT(bugprone-empty-catch): it is our child, and sees the end of its input
    }
}

} // namespace berth::network
