// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "expect_error.hpp"
#include "kernel/protocol.hpp"

using namespace berth;
using namespace std::chrono_literals;
using berth::test::error_of;

class Protocol : public testing::Test {
protected:
    Protocol() { std::tie(launcher_, inner_) = protocol::make_pair(); }
    unique_fd launcher_;
    unique_fd inner_;
};

TEST_F(Protocol, CarriesDescriptors) {
    const unique_fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const unique_fd zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
    protocol::send(inner_.get(), protocol::Kind::mounted, 0, {}, {null.get(), zero.get()});
    const auto message = protocol::expect(launcher_.get(), protocol::Kind::mounted, 1s, "waiting");
    ASSERT_EQ(message.fds.size(), 2U);
    struct stat sent{};
    struct stat received{};
    ASSERT_EQ(::fstat(zero.get(), &sent), 0);
    ASSERT_EQ(::fstat(message.fds[1].get(), &received), 0);
    EXPECT_EQ(sent.st_rdev, received.st_rdev);
    EXPECT_NE(::fcntl(message.fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(Protocol, AFailureArrivesAsItsError) {
    protocol::send(inner_.get(), protocol::Kind::failed, ENOENT, "mounting /x: gone");
    try {
        (void)protocol::expect(launcher_.get(), protocol::Kind::mounted, 1s, "waiting");
        FAIL();
    } catch (const Error &error) {
        EXPECT_STREQ(error.what(), "mounting /x: gone");
        EXPECT_EQ(error.code(), ENOENT);
    }
}

TEST_F(Protocol, TheEndIsAMessageToo) {
    inner_.reset();
    EXPECT_EQ(protocol::receive(launcher_.get(), 1s).kind, protocol::Kind::end);
    EXPECT_THAT(
        error_of([&] { (void)protocol::expect(launcher_.get(), protocol::Kind::mounted, 1s, "mounting"); }),
        testing::HasSubstr("mounting: the other side ended"));
}

TEST_F(Protocol, SilenceEndsAtTheDeadline) {
    try {
        (void)protocol::receive(launcher_.get(), 10ms);
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ETIMEDOUT);
    }
}

TEST_F(Protocol, LongTextIsCutNotLost) {
    protocol::send(inner_.get(), protocol::Kind::failed, 1, std::string(100000, 'x'));
    EXPECT_EQ(protocol::receive(launcher_.get(), 1s).text.size(), 4096U);
}

TEST_F(Protocol, ShortMessagesAreRefused) {
    ASSERT_EQ(::write(inner_.get(), "ab", 2), 2);
    error_of([&] { (void)protocol::receive(launcher_.get(), 1s); });
}
