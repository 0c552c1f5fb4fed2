// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/netlink.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <exception>
#include <string>
#include <utility>

#include "base/error.hpp"

namespace berth::network {

namespace {

/// In another network namespace for as long as it lives. Sockets stay in the one they were made in.
class Visit {
public:
    explicit Visit(int netns) : home_(own_namespace()) {
        if (::setns(netns, CLONE_NEWNET) < 0)
            fail_errno("entering the machine's network namespace");
    }
    Visit(const Visit &) = delete;
    Visit &operator=(const Visit &) = delete;
    ~Visit() {
        if (::setns(home_.get(), CLONE_NEWNET) < 0)
            std::terminate(); // whatever came next would be done to the wrong network
    }

private:
    unique_fd home_;
};

} // namespace

unique_fd own_namespace() {
    unique_fd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening our own network namespace");
    return fd;
}

std::uint64_t namespace_id(int netns) {
    struct stat status{};
    if (::fstat(netns, &status) < 0)
        fail_errno("looking at descriptor {}, which should be a network namespace", netns);
    return status.st_ino;
}

void require_other_namespace(int netns) {
    if (::ioctl(netns, NS_GET_NSTYPE) != CLONE_NEWNET)
        fail("descriptor {} is no network namespace: it must be inherited by berth-network", netns);
    if (namespace_id(netns) == namespace_id(own_namespace().get()))
        fail("the machine has no network namespace of its own to set links up in: give it one");
}

Netlink::Netlink() {
    open();
}

Netlink::Netlink(int netns) {
    const Visit visit(netns);
    open();
}

void Netlink::open() {
    socket_.reset(made(::nl_socket_alloc()));
    if (const int result = ::nl_connect(socket_.get(), NETLINK_ROUTE); result < 0)
        fail("connecting to the kernel's netlink: {}", ::nl_geterror(result));
    ::nl_socket_modify_err_cb(socket_.get(), NL_CB_CUSTOM, on_error, this);
    ::nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_CUSTOM, on_message, this);
    ::nl_socket_modify_cb(socket_.get(), NL_CB_ACK, NL_CB_CUSTOM, on_ack, this);
}

int Netlink::on_error(sockaddr_nl * /*address*/, nlmsgerr *error, void *self) {
    static_cast<Netlink *>(self)->code_ = -error->error;
    return NL_STOP;
}

int Netlink::on_ack(nl_msg * /*message*/, void *self) {
    static_cast<Netlink *>(self)->acknowledged_ = true;
    return NL_STOP;
}

int Netlink::on_message(nl_msg *message, void *self) {
    auto *netlink = static_cast<Netlink *>(self);
    try {
        if (netlink->each_ && !netlink->failure_)
            netlink->each_(::nlmsg_hdr(message));
    } catch (...) { // it shall not fly through the frames of a C library
        netlink->failure_ = std::current_exception();
    }
    return NL_OK;
}

/// Throws what was thrown on the way.
void Netlink::finish() {
    each_ = {};
    if (const std::exception_ptr failure = std::exchange(failure_, nullptr))
        std::rethrow_exception(failure);
}

int Netlink::request(MessagePtr message, const Each &each) {
    code_ = 0;
    acknowledged_ = false;
    each_ = each;
    int result = ::nl_send_auto(socket_.get(), message.get()); // which asks to be acknowledged
    while (result >= 0 && !acknowledged_)                      // an answer comes before that, by itself
        result = ::nl_recvmsgs_default(socket_.get());
    finish();
    if (result >= 0)
        return 0;
    return code_ != 0 ? code_ : EIO;
}

void Netlink::dump(int type, std::string_view what, const Each &each) {
    constexpr int most_tries = 10;
    each_ = each;
    int result = -NLE_DUMP_INTR;
    for (int tries = 0; result == -NLE_DUMP_INTR && tries < most_tries; ++tries) {
        rtgenmsg all{.rtgen_family = AF_UNSPEC};
        result = ::nl_send_simple(socket_.get(), type, NLM_F_DUMP, &all, sizeof all);
        if (result >= 0)
            result = ::nl_recvmsgs_default(socket_.get());
    }
    finish();
    // What changed all the while we looked has been seen in one state or the other.
    if (result < 0 && result != -NLE_DUMP_INTR)
        fail("listing the {}: {}", what, ::nl_geterror(result));
}

void Netlink::subscribe(int group) {
    if (const int result = ::nl_socket_add_membership(socket_.get(), group); result < 0)
        fail("watching the network: {}", ::nl_geterror(result));
}

int Netlink::fd() const {
    return ::nl_socket_get_fd(socket_.get());
}

void Netlink::drain() {
    std::array<char, 65536> events{};
    for (;;) {
        if (::recv(fd(), events.data(), events.size(), MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == EINTR)
            continue;
        if (errno == EAGAIN)
            return;
        if (errno != ENOBUFS) // some were lost, which makes no difference to us
            fail_errno("reading changes of the network");
    }
}

void put(nl_msg *message, int type, std::string_view text) {
    if (::nla_put_string(message, type, std::string(text).c_str()) < 0)
        throw std::bad_alloc();
}

void put(nl_msg *message, int type, std::uint32_t number) {
    if (::nla_put_u32(message, type, number) < 0)
        throw std::bad_alloc();
}

} // namespace berth::network
