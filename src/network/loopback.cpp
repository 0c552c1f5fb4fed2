// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/loopback.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.hpp"

namespace berth::network {

namespace {

/// More at a time than anyone needs on a loopback; those beyond are refused. Each has two descriptors, of
/// which we may have 1024.
constexpr int most_at_a_time = 200;
/// How long we wait when nothing can be accepted, lest we ask without end.
constexpr auto pause = std::chrono::milliseconds(100);
/// How long an answer to a datagram is waited for.
constexpr int answer_patience = 5000;

struct SocketAddress {
    sockaddr_storage bytes{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&bytes); }
    [[nodiscard]] sockaddr *get() { return reinterpret_cast<sockaddr *>(&bytes); }
};

SocketAddress socket_address(const Address &address, std::uint16_t port, unsigned scope = 0) {
    SocketAddress made;
    if (address.family == AF_INET) {
        sockaddr_in in{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
        std::memcpy(&in.sin_addr, address.bytes.data(), sizeof in.sin_addr);
        std::memcpy(&made.bytes, &in, sizeof in);
        made.size = sizeof in;
    } else {
        sockaddr_in6 in{.sin6_family = AF_INET6,
                        .sin6_port = htons(port),
                        .sin6_flowinfo = 0,
                        .sin6_addr = {},
                        .sin6_scope_id = scope};
        std::memcpy(&in.sin6_addr, address.bytes.data(), sizeof in.sin6_addr);
        std::memcpy(&made.bytes, &in, sizeof in);
        made.size = sizeof in;
    }
    return made;
}

/// An address of the host's that is good in one place only.
struct Here {
    Address address;
    unsigned scope = 0; ///< the link, for IPv6

    friend auto operator<=>(const Here &, const Here &) = default;
};

std::set<Here> addresses_here() {
    std::set<Here> found;
    ifaddrs *list = nullptr;
    if (::getifaddrs(&list) < 0)
        fail_errno("asking for the host's addresses");
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, &::freeifaddrs);
    for (const ifaddrs *entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr)
            continue;
        Here here{.address = {.family = entry->ifa_addr->sa_family}};
        if (here.address.family == AF_INET) {
            sockaddr_in in{};
            std::memcpy(&in, entry->ifa_addr, sizeof in);
            if (ntohl(in.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
                continue;
            std::memcpy(here.address.bytes.data(), &in.sin_addr, sizeof in.sin_addr);
        } else if (here.address.family == AF_INET6) {
            sockaddr_in6 in{};
            std::memcpy(&in, entry->ifa_addr, sizeof in);
            const bool of_link = IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr);
            if (!of_link && !IN6_IS_ADDR_LOOPBACK(&in.sin6_addr))
                continue;
            here.scope = of_link ? in.sin6_scope_id : 0;
            std::memcpy(here.address.bytes.data(), &in.sin6_addr, sizeof in.sin6_addr);
        } else {
            continue;
        }
        found.insert(here);
    }
    return found;
}

int socket_type(const Port &port) {
    return port.protocol == Port::Protocol::tcp ? SOCK_STREAM : SOCK_DGRAM;
}

/// Empty where the address is taken, or gone.
unique_fd listen_on(const Here &here, const Port &port) {
    unique_fd socket(::socket(here.address.family, socket_type(port) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket)
        return {};
    const int on = 1;
    if (socket_type(port) == SOCK_STREAM)
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const SocketAddress place = socket_address(here.address, port.host, here.scope);
    if (::bind(socket.get(), place.get(), place.size) < 0
        || (socket_type(port) == SOCK_STREAM && ::listen(socket.get(), SOMAXCONN) < 0))
        return {};
    return socket;
}

/// A connection to the machine's port: by the family that it came by if the machine has an address of it.
unique_fd connect_to(const Target &target, const Port &port, int family) {
    for (const auto *address : family == AF_INET6 ? std::array{&target.ipv6, &target.ipv4}
                                                  : std::array{&target.ipv4, &target.ipv6}) {
        if (!*address)
            continue;
        const SocketAddress place = socket_address(**address, port.machine);
        unique_fd socket(::socket((*address)->family, socket_type(port) | SOCK_CLOEXEC, 0));
        if (socket && ::connect(socket.get(), place.get(), place.size) == 0)
            return socket;
    }
    return {};
}

bool send_all(int to, const char *data, std::size_t size) {
    while (size > 0) {
        const ssize_t n = ::send(to, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

/// What comes at one end goes out at the other, until one of them is done with both ways.
void hand_on(int from, int to) {
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t n = ::recv(from, buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || !send_all(to, buffer.data(), static_cast<std::size_t>(n)))
            break;
    }
    (void)::shutdown(to, SHUT_WR);
    (void)::shutdown(from, SHUT_RD);
}

} // namespace

Loopback::Loopback(std::vector<Port> ports)
    : ports_(std::move(ports)), waker_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!waker_)
        fail_errno("creating an event");
    follow_links();
    thread_ = std::thread([this] { serve(); });
}

Loopback::~Loopback() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake();
    thread_.join();
}

void Loopback::aim(const Target &target) {
    const std::lock_guard lock(shared_->mutex);
    shared_->target = target;
}

void Loopback::follow_links() {
    std::map<std::string, std::vector<Listener>> now;
    const std::lock_guard lock(mutex_);
    for (const Here &here : addresses_here()) {
        const std::string name = berth::format("{}%{}", here.address.text(), here.scope);
        if (auto known = listeners_.extract(name)) {
            now.insert(std::move(known));
            continue;
        }
        for (const Port &port : ports_)
            if (unique_fd socket = listen_on(here, port))
                now[name].push_back({std::move(socket), port});
    }
    listeners_ = std::move(now);
    wake();
}

void Loopback::wake() const {
    const std::uint64_t one = 1;
    (void)!::write(waker_.get(), &one, sizeof one);
}

void Loopback::serve() {
    for (;;) {
        std::vector<pollfd> fds{{.fd = waker_.get(), .events = POLLIN, .revents = 0}};
        {
            const std::lock_guard lock(mutex_);
            if (ending_)
                return;
            for (const auto &[name, listeners] : listeners_)
                for (const Listener &listener : listeners)
                    fds.push_back({.fd = listener.socket.get(), .events = POLLIN, .revents = 0});
        }
        if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
            return;
        std::uint64_t count = 0;
        (void)!::read(waker_.get(), &count, sizeof count);
        const std::lock_guard lock(mutex_);
        for (const auto &[name, listeners] : listeners_)
            for (const Listener &listener : listeners) {
                if (socket_type(listener.port) == SOCK_STREAM)
                    accept_on(listener);
                else
                    pass_datagram(listener);
            }
    }
}

template <class Work> void Loopback::begin(int Shared::*count, Work work) {
    const std::lock_guard lock(shared_->mutex);
    if (*shared_.*count >= most_at_a_time)
        return;
    try {
        std::thread([work = std::move(work), shared = shared_, target = shared_->target, count] {
            work(target);
            const std::lock_guard ended(shared->mutex);
            --(*shared.*count);
        }).detach();
        ++(*shared_.*count);
    } catch (
        const std::system_error &) { // NOLINT(bugprone-empty-catch): there are too many; this one is refused
    }
}

void Loopback::accept_on(const Listener &listener) {
    SocketAddress peer{.size = sizeof peer.bytes};
    unique_fd client(::accept4(listener.socket.get(), peer.get(), &peer.size, SOCK_CLOEXEC));
    if (!client) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            std::this_thread::sleep_for(pause);
        return;
    }
    begin(&Shared::connections, [client = std::make_shared<const unique_fd>(std::move(client)),
                                 port = listener.port, family = peer.bytes.ss_family](const Target &target) {
        const unique_fd machine = connect_to(target, port, family);
        if (!machine)
            return;
        try {
            std::thread back([&] { hand_on(machine.get(), client->get()); });
            hand_on(client->get(), machine.get());
            back.join();
        } catch (const std::system_error &) { // NOLINT(bugprone-empty-catch): as in begin()
        }
    });
}

void Loopback::pass_datagram(const Listener &listener) {
    std::array<char, 65536> buffer{};
    SocketAddress peer{.size = sizeof peer.bytes};
    const ssize_t n =
        ::recvfrom(listener.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, peer.get(), &peer.size);
    if (n < 0)
        return;
    const auto answers =
        std::make_shared<const unique_fd>(::fcntl(listener.socket.get(), F_DUPFD_CLOEXEC, 0));
    begin(&Shared::datagrams, [text = std::string(buffer.data(), static_cast<std::size_t>(n)),
                               port = listener.port, peer, answers](const Target &target) {
        const unique_fd machine = connect_to(target, port, peer.bytes.ss_family);
        if (!machine || ::send(machine.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0)
            return;
        std::array<char, 65536> answer{};
        pollfd entry{.fd = machine.get(), .events = POLLIN, .revents = 0};
        while (::poll(&entry, 1, answer_patience) > 0) {
            const ssize_t size = ::recv(machine.get(), answer.data(), answer.size(), 0);
            if (size < 0
                || ::sendto(answers->get(), answer.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL,
                            peer.get(), peer.size)
                       < 0)
                return;
        }
    });
}

} // namespace berth::network
