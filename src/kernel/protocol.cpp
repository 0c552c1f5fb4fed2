// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/protocol.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "base/error.hpp"

namespace berth::protocol {

namespace {

constexpr std::size_t max_text = 4096;
constexpr std::size_t max_fds = 4;

struct Header {
    Kind kind;
    std::int32_t code;
};

std::vector<unique_fd> take_fds(msghdr &message) {
    std::vector<unique_fd> fds;
    for (cmsghdr *part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            fds.emplace_back(fd);
        }
    }
    return fds;
}

} // namespace

std::pair<unique_fd, unique_fd> make_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
        fail_errno("creating a socket pair");
    return {unique_fd(ends[0]), unique_fd(ends[1])};
}

void send(int socket, Kind kind, int code, std::string_view text, const std::vector<int> &fds) {
    Header header{.kind = kind, .code = code};
    text = text.substr(0, max_text);
    std::array<iovec, 2> parts{{{.iov_base = &header, .iov_len = sizeof header},
                                {.iov_base = const_cast<char *>(text.data()), .iov_len = text.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    alignas(cmsghdr) std::array<unsigned char, CMSG_SPACE(max_fds * sizeof(int))> control{};
    if (!fds.empty()) {
        if (fds.size() > max_fds)
            fail("{} descriptors are too many for one message", fds.size());
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(part), fds.data(), fds.size() * sizeof(int));
    }
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
        fail_errno("sending a message between launcher and machine");
}

Message receive(int socket, std::chrono::milliseconds deadline) {
    pollfd entry{.fd = socket, .events = POLLIN, .revents = 0};
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        const int n = ::poll(&entry, 1, static_cast<int>(std::max<long>(left.count(), 0)));
        if (n > 0)
            break;
        if (n == 0)
            fail_code(ETIMEDOUT, "waiting for a message between launcher and machine");
        if (errno != EINTR)
            fail_errno("waiting for a message between launcher and machine");
    }
    Header header{};
    std::array<char, max_text> text{};
    std::array<iovec, 2> parts{
        {{.iov_base = &header, .iov_len = sizeof header}, {.iov_base = text.data(), .iov_len = text.size()}}};
    alignas(cmsghdr) std::array<unsigned char, CMSG_SPACE(max_fds * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno != ECONNRESET)
        fail_errno("receiving a message between launcher and machine");
    if (n <= 0)
        return {};
    Message received{.kind = header.kind, .code = header.code, .text = {}, .fds = take_fds(message)};
    if (static_cast<std::size_t>(n) < sizeof header)
        fail_code(EPROTO, "receiving a message between launcher and machine");
    received.text.assign(text.data(), static_cast<std::size_t>(n) - sizeof header);
    return received;
}

Message expect(int socket, Kind kind, std::chrono::milliseconds deadline, std::string_view doing) {
    Message message = receive(socket, deadline);
    if (message.kind == Kind::failed)
        throw Error(message.text, message.code);
    if (message.kind != kind)
        fail("{}: {}", doing,
             message.kind == Kind::end ? "the other side ended without a word"
                                       : "the other side said something else");
    return message;
}

} // namespace berth::protocol
