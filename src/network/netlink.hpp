// SPDX-License-Identifier: LGPL-2.1-or-later
// A connection to the kernel's routing netlink (rtnetlink(7)), by libnl.
#pragma once

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string_view>

#include "base/unique_fd.hpp"

namespace berth::network {

/// A deleter that calls one of libnl's functions.
template <auto Function> struct NetlinkReleases {
    template <class T> void operator()(T *object) const noexcept { Function(object); }
};

using SocketPtr = std::unique_ptr<nl_sock, NetlinkReleases<nl_socket_free>>;
using MessagePtr = std::unique_ptr<nl_msg, NetlinkReleases<nlmsg_free>>;

/// Throws Error naming a network namespace that is none, or is ours.
void require_other_namespace(int netns);

/// The number by which the kernel shows a network namespace: the inode of its file.
[[nodiscard]] std::uint64_t namespace_id(int netns);

/// Our own network namespace.
[[nodiscard]] unique_fd own_namespace();

/// A socket in a network namespace, for requests or for events.
class Netlink {
public:
    /// In our own namespace.
    Netlink();
    /// In that of `netns`, which it then keeps alive.
    explicit Netlink(int netns);
    Netlink(const Netlink &) = delete;
    Netlink &operator=(const Netlink &) = delete;

    /// What is done with a message of the kernel's.
    using Each = std::function<void(nlmsghdr *)>;

    /// Sends a request and waits until it is done; `each` gets what is answered. Returns 0 or the
    /// kernel's errno.
    [[nodiscard]] int request(MessagePtr message, const Each &each = {});

    /// Asks for all there is of a kind (RTM_GET…); `each` may get things twice. `what` names it in
    /// errors.
    void dump(int type, std::string_view what, const Each &each);

    /// Makes this a socket for the events of a group (RTNLGRP_…), which is for nothing else.
    void subscribe(int group);
    [[nodiscard]] int fd() const;
    /// Reads away all events that came.
    void drain();

private:
    void open();
    void finish();
    static int on_error(sockaddr_nl *address, nlmsgerr *error, void *self);
    static int on_ack(nl_msg *message, void *self);
    static int on_message(nl_msg *message, void *self);

    SocketPtr socket_;
    int code_ = 0; ///< the errno of the last request, which libnl would fold into fewer of its own
    bool acknowledged_ = false;
    Each each_;
    std::exception_ptr failure_;
};

/// Adds an attribute.
void put(nl_msg *message, int type, std::string_view text);
void put(nl_msg *message, int type, std::uint32_t number);

/// Throws bad_alloc for a null pointer of libnl's.
template <class T> T *made(T *object) {
    if (object == nullptr)
        throw std::bad_alloc();
    return object;
}

/// A message with the header that its type calls for, to be filled.
template <class Header> MessagePtr make_message(int type, const Header &header) {
    MessagePtr message(made(::nlmsg_alloc_simple(type, 0)));
    Header copy = header; // nlmsg_append() takes no const
    if (::nlmsg_append(message.get(), &copy, sizeof copy, NLMSG_ALIGNTO) < 0)
        throw std::bad_alloc();
    return message;
}

} // namespace berth::network
