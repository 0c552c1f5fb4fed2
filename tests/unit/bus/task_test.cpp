// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/task.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

using namespace berth;

namespace {

Task<int> doubled(Outcome<int> outcome) {
    co_return 2 * co_await outcome;
}

Task<void> store(Outcome<int> outcome, int *target) {
    *target = co_await doubled(std::move(outcome));
}

Task<void> store_error(Outcome<int> outcome, std::string *target) {
    try {
        co_await doubled(std::move(outcome));
    } catch (const std::runtime_error &error) {
        *target = error.what();
    }
}

/// Says when it goes.
struct Witness {
    bool *gone;
    explicit Witness(bool *flag) : gone(flag) {}
    Witness(const Witness &) = delete;
    Witness &operator=(const Witness &) = delete;
    ~Witness() { *gone = true; }
};

Task<void> wait_with(Outcome<int> outcome, bool *gone) {
    const Witness witness(gone);
    co_await doubled(std::move(outcome));
}

} // namespace

TEST(Task, GoesOnWhenTheOutcomeIsGiven) {
    Tasks tasks;
    const Outcome<int> outcome;
    int result = 0;
    tasks.start(store(outcome, &result));
    EXPECT_FALSE(tasks.empty());
    EXPECT_EQ(result, 0);
    outcome.give(21);
    EXPECT_EQ(result, 42);
    EXPECT_TRUE(tasks.empty());
}

TEST(Task, DoesNotWaitForWhatIsThereAlready) {
    Tasks tasks;
    const Outcome<int> outcome;
    outcome.give(1);
    int result = 0;
    tasks.start(store(outcome, &result));
    EXPECT_EQ(result, 2);
}

TEST(Task, TheFirstOutcomeStays) {
    Tasks tasks;
    const Outcome<int> outcome;
    int result = 0;
    outcome.give(1);
    outcome.give(2);
    outcome.fail_with(std::runtime_error("late"));
    tasks.start(store(outcome, &result));
    EXPECT_EQ(result, 2);
}

TEST(Task, ErrorsTravelThroughTasks) {
    Tasks tasks;
    const Outcome<int> outcome;
    std::string text;
    tasks.start(store_error(outcome, &text));
    outcome.fail_with(std::runtime_error("broken"));
    EXPECT_EQ(text, "broken");
}

TEST(Task, BegunTasksCanBeAwaitedOrLeft) {
    Tasks tasks;
    const Outcome<int> outcome;
    int result = 0;
    tasks.start(store(tasks.begin(doubled(outcome)), &result));
    outcome.give(1);
    EXPECT_EQ(result, 4);
    const Outcome<int> other;
    tasks.begin(doubled(other)); // nobody looks at its error
    other.fail_with(std::runtime_error("unseen"));
    EXPECT_TRUE(tasks.empty());
}

TEST(Task, TellsWhenTheLastOneEnds) {
    Tasks tasks;
    int calls = 0;
    tasks.when_empty = [&] { ++calls; };
    const Outcome<int> a;
    const Outcome<int> b;
    int result = 0;
    tasks.start(store(a, &result));
    tasks.start(store(b, &result));
    a.give(1);
    EXPECT_EQ(calls, 0);
    b.give(1);
    EXPECT_EQ(calls, 1);
}

TEST(Task, WaitingOnesAreDroppedWithTheirOwner) {
    const Outcome<int> outcome;
    bool gone = false;
    {
        Tasks tasks;
        tasks.start(wait_with(outcome, &gone));
        EXPECT_FALSE(gone);
    }
    EXPECT_TRUE(gone);
    outcome.give(1); // nobody is there any more
}
