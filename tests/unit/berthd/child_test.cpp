// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "expect_error.hpp"

using namespace berth;
using std::chrono::milliseconds;
using testing::HasSubstr;

namespace {

class ChildTest : public testing::Test {
protected:
    ChildTest() {
        ::sigset_t child_signal;
        ::sigemptyset(&child_signal);
        ::sigaddset(&child_signal, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &child_signal, &before_);
        sd_event *loop = nullptr;
        ::sd_event_new(&loop);
        loop_.reset(loop);
    }
    ~ChildTest() override { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

    std::string run(std::function<std::string()> work, milliseconds limit = std::chrono::seconds(20)) {
        std::string text;
        tasks_.start(store(in_child(loop_.get(), "testing", STDIN_FILENO, limit, std::move(work)), &text));
        while (!tasks_.empty())
            ::sd_event_run(loop_.get(), UINT64_MAX);
        return text;
    }

private:
    static Task<void> store(Task<std::string> task, std::string *text) {
        try {
            *text = co_await std::move(task);
        } catch (const Error &error) {
            *text = std::string("error: ") + error.what();
        }
    }

    ::sigset_t before_{};
    EventPtr loop_;
    Tasks tasks_;
};

} // namespace

TEST_F(ChildTest, TheResultComesBack) {
    EXPECT_EQ(run([] { return std::string("a\0b", 3); }), std::string("a\0b", 3));
    EXPECT_EQ(run([] { return std::string(); }), "");
    EXPECT_EQ(run([] { return std::string(300000, 'x'); }).size(), 300000U);
}

TEST_F(ChildTest, ErrorsComeBack) {
    EXPECT_EQ(run([]() -> std::string { fail("so it is"); }), "error: testing: so it is");
}

TEST_F(ChildTest, TimeIsLimited) {
    const auto forever = [] {
        ::sleep(1000);
        return std::string();
    };
    EXPECT_THAT(run(forever, milliseconds(50)), HasSubstr("error: testing: Connection timed out"));
}

TEST_F(ChildTest, OtherDescriptorsAreNotThere) {
    const unique_fd other(::open("/dev/null", O_RDONLY));
    const int number = other.get();
    EXPECT_EQ(run([number] { return berth::format("{}", ::fcntl(number, F_GETFD)); }), "-1");
    EXPECT_EQ(run([] { return berth::format("{}", ::fcntl(STDIN_FILENO, F_GETFD) >= 0); }), "true");
}
