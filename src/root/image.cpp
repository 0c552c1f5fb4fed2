// SPDX-License-Identifier: LGPL-2.1-or-later
#include "root/image.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "build.hpp"
#include "kernel/protocol.hpp"

namespace berth::image {

namespace {

constexpr int socket_in_child = 3; // what berth-image takes unless told otherwise
constexpr std::size_t max_messages = 18;

/// What is set up for a child of posix_spawn(3).
class Setup {
public:
    Setup(int socket, int errors) {
        check(::posix_spawn_file_actions_init(&actions_));
        check(::posix_spawnattr_init(&attributes_));
        // dup2 leaves close-on-exec set where both are the same, so the socket takes a detour by stdin,
        // which berth-image does not read.
        check(::posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO));
        check(::posix_spawn_file_actions_adddup2(&actions_, socket, STDIN_FILENO));
        check(::posix_spawn_file_actions_adddup2(&actions_, STDIN_FILENO, socket_in_child));
        sigset_t none;
        ::sigemptyset(&none);
        check(::posix_spawnattr_setsigmask(&attributes_, &none));
        check(::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK));
    }
    Setup(const Setup &) = delete;
    Setup &operator=(const Setup &) = delete;
    ~Setup() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }

    [[nodiscard]] const posix_spawn_file_actions_t *actions() const { return &actions_; }
    [[nodiscard]] const posix_spawnattr_t *attributes() const { return &attributes_; }

private:
    static void check(int code) {
        if (code != 0)
            fail_code(code, "preparing to start berth-image");
    }

    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

/// berth-image, while it works. It is killed and reaped when we lose interest.
class Worker {
public:
    Worker(const std::string &image, const std::vector<std::string> &options, int socket, int errors) {
        std::vector<std::string> words{std::string(build::libexecdir) + "/berth-image", "attach"};
        words.insert(words.end(), options.begin(), options.end());
        words.emplace_back("--");
        words.push_back(image);
        std::vector<char *> pointers;
        pointers.reserve(words.size() + 1);
        for (std::string &word : words)
            pointers.push_back(word.data());
        pointers.push_back(nullptr);
        const Setup setup(socket, errors);
        int fd = -1;
        const int code = ::pidfd_spawn(&fd, words.front().c_str(), setup.actions(), setup.attributes(),
                                       pointers.data(), ::environ);
        if (code != 0)
            fail_code(code, "starting {} for the image {}", words.front(), image);
        pidfd_.reset(fd);
    }
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;
    ~Worker() {
        if (pidfd_)
            pidfd::end(pidfd_.get());
    }

    /// Waits for its end; true when it succeeded.
    bool wait() {
        const siginfo_t info = pidfd::wait(pidfd_.get());
        pidfd_.reset();
        return info.si_code == CLD_EXITED && info.si_status == 0;
    }

private:
    unique_fd pidfd_;
};

struct Message {
    std::string text; ///< empty when the other side closed its end
    unique_fd fd;
};

/// There is no deadline: replaying a large journal takes its time, and berth-image can be interrupted.
Message receive(int socket) {
    std::array<char, 8192> text{};
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    alignas(cmsghdr) std::array<unsigned char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t n = 0;
    while ((n = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
    }
    if (n < 0 && errno != ECONNRESET)
        fail_errno("receiving the mounts of an image");
    Message message;
    if (n > 0)
        message.text.assign(text.data(), static_cast<std::size_t>(n));
    for (cmsghdr *each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
            continue;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(each), sizeof fd);
        message.fd.reset(fd);
    }
    return message;
}

LockFile lock_of(const Json &json, unique_fd fd) {
    using Mode = LockFile::Mode;
    return {json.at("lock"), std::move(fd), json.at("exclusive") ? Mode::exclusive : Mode::shared};
}

Mount mount_of(const Json &json, Message message) {
    Mount mount{.designator = json.at("designator"),
                .path = json.at("path"),
                .read_only = json.at("read_only"),
                .mount = std::move(message.fd)};
    if (!mount.mount || !mount.path.starts_with('/'))
        fail("a mount without a descriptor or a path");
    return mount;
}

/// All mounts, and the locks; nothing when it did not come to the end.
std::optional<std::vector<Mount>> receive_all(int socket, std::vector<LockFile> &locks) {
    std::vector<Mount> mounts;
    while (mounts.size() + locks.size() <= max_messages) {
        Message message = receive(socket);
        if (message.text.empty())
            return std::nullopt;
        const auto json = parse_json(message.text);
        if (json.value("end", false))
            return mounts;
        if (json.contains("lock"))
            locks.push_back(lock_of(json, std::move(message.fd)));
        else
            mounts.push_back(mount_of(json, std::move(message)));
    }
    fail("more than {} mounts and locks", max_messages);
}

unique_fd make_error_file() {
    unique_fd file(::memfd_create("berth-image-errors", MFD_CLOEXEC));
    if (!file)
        fail_errno("creating a file for messages");
    return file;
}

} // namespace

std::vector<Mount> attach(const std::string &image, bool read_only, const std::optional<std::string> &policy,
                          std::vector<LockFile> *locks) {
    auto [ours, theirs] = protocol::make_pair();
    const unique_fd errors = make_error_file();
    std::vector<std::string> options;
    if (read_only)
        options.emplace_back("--read-only");
    if (locks != nullptr)
        options.emplace_back("--lock");
    if (policy)
        options.push_back("--image-policy=" + *policy);
    Worker worker(image, options, theirs.get(), errors.get());
    theirs.reset(); // or else its end would not be ours to see
    std::optional<std::vector<Mount>> mounts;
    std::vector<LockFile> received;
    try {
        mounts = receive_all(ours.get(), received);
    } catch (const std::exception &error) {
        fail("opening the image {}: berth-image said something that makes no sense: {}", image, error.what());
    }
    const bool succeeded = worker.wait();
    ::lseek(errors.get(), 0, SEEK_SET);
    const std::string said(trim(read_all(errors.get(), "what berth-image says")));
    if (!succeeded || !mounts)
        throw Error(said.empty() ? "opening the image " + image + ": berth-image was killed" : said);
    if (!said.empty())
        write_all(STDERR_FILENO, said + "\n", "stderr");
    if (locks != nullptr)
        *locks = std::move(received);
    return std::move(*mounts);
}

} // namespace berth::image
