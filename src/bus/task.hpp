// SPDX-License-Identifier: LGPL-2.1-or-later
// Operations that wait, written down in the order in which they happen: coroutines on one event
// loop. One thread, no locks.
//
// A coroutine's parameters live in its frame: take them by value, never by reference to something
// that may be gone when it is resumed.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <variant>

namespace berth {

/// What something under way will come to, a value or an exception: given by whoever carries it out,
/// awaited by one Task. Copies share it. The first result given stays.
template <class T> class Outcome {
    struct State {
        std::variant<std::monostate, T, std::exception_ptr> result;
        std::coroutine_handle<> waiter;
    };

    struct Awaiter {
        std::shared_ptr<State> state;

        explicit Awaiter(std::shared_ptr<State> shared) : state(std::move(shared)) {}
        Awaiter(const Awaiter &) = delete;
        Awaiter &operator=(const Awaiter &) = delete;
        ~Awaiter() { state->waiter = {}; } // the awaiting frame may be destroyed before the result is there

        [[nodiscard]] bool await_ready() const noexcept { return state->result.index() != 0; }
        void await_suspend(std::coroutine_handle<> waiter) noexcept { state->waiter = waiter; }
        T await_resume() {
            if (const auto *error = std::get_if<std::exception_ptr>(&state->result))
                std::rethrow_exception(*error);
            return std::get<1>(std::move(state->result));
        }
    };

public:
    void give(T value) const { settle<1>(std::move(value)); }
    void fail(std::exception_ptr error) const { settle<2>(std::move(error)); }
    template <class E> void fail_with(E error) const { fail(std::make_exception_ptr(std::move(error))); }

    Awaiter operator co_await() const { return Awaiter(state_); }

private:
    template <std::size_t Which, class Result> void settle(Result result) const {
        if (state_->result.index() != 0)
            return;
        const std::shared_ptr<State> keep = state_; // resuming may drop the last other reference
        keep->result.template emplace<Which>(std::move(result));
        if (const auto waiter = std::exchange(keep->waiter, {}))
            waiter.resume();
    }

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// The value of an Outcome that has none to tell, only that it is so.
struct Done {};

/// Counts up for as long as it lives: what is under way.
struct Counted {
    unsigned &count;

    explicit Counted(unsigned &counter) : count(counter) { ++count; }
    Counted(const Counted &) = delete;
    Counted &operator=(const Counted &) = delete;
    ~Counted() { --count; }
};

namespace detail {

template <class T> struct Returned {
    std::variant<std::monostate, T> value;
    void return_value(T result) { value.template emplace<1>(std::move(result)); }
    T take() { return std::get<1>(std::move(value)); }
};

template <> struct Returned<void> {
    void return_void() noexcept {}
    void take() noexcept {}
};

} // namespace detail

/// A coroutine that begins when it is awaited.
template <class T> class [[nodiscard]] Task {
public:
    struct promise_type : detail::Returned<T> {
        std::coroutine_handle<> awaiting = std::noop_coroutine();
        std::exception_ptr error;

        struct Final {
            [[nodiscard]] bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
                return self.promise().awaiting;
            }
            void await_resume() noexcept {}
        };

        Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        Final final_suspend() noexcept { return {}; }
        void unhandled_exception() { error = std::current_exception(); }
    };

    Task(Task &&other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Task &operator=(Task &&) = delete;
    Task(const Task &) = delete;
    Task &operator=(const Task &) = delete;
    ~Task() {
        if (handle_)
            handle_.destroy();
    }

    auto operator co_await() && {
        struct Awaiter {
            std::coroutine_handle<promise_type> handle;
            [[nodiscard]] bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
                handle.promise().awaiting = awaiting;
                return handle;
            }
            T await_resume() {
                if (handle.promise().error)
                    std::rethrow_exception(handle.promise().error);
                return handle.promise().take();
            }
        };
        return Awaiter(handle_);
    }

private:
    explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

    std::coroutine_handle<promise_type> handle_;
};

/// The tasks that nobody awaits. Those still waiting when it goes are dropped where they stand.
class Tasks {
public:
    Tasks() = default;
    Tasks(const Tasks &) = delete;
    Tasks &operator=(const Tasks &) = delete;
    ~Tasks() {
        when_empty = nullptr;
        for (const auto frames = std::exchange(running_, {}); const auto frame : frames)
            frame.destroy();
    }

    /// Runs `task` up to its first wait, and onward from the event loop. It must not throw.
    void start(Task<void> task) { run(*this, std::move(task)); }

    /// As start(); what becomes of the task can be awaited, or left alone.
    template <class T> Outcome<T> begin(Task<T> task) {
        const Outcome<T> outcome;
        start(settle(outcome, std::move(task)));
        return outcome;
    }
    Outcome<Done> begin(Task<void> task) { return begin(done_after(std::move(task))); }

    [[nodiscard]] bool empty() const noexcept { return running_.empty(); }

    /// Called whenever the last task has ended.
    std::function<void()> when_empty;

private:
    /// The frame around a task that nobody awaits; it frees itself at the end.
    struct Root {
        struct promise_type {
            promise_type(Tasks &tasks, Task<void> & /*task*/) : owner(tasks) {
                owner.running_.insert(std::coroutine_handle<promise_type>::from_promise(*this));
            }
            promise_type(const promise_type &) = delete;
            promise_type &operator=(const promise_type &) = delete;
            ~promise_type() {
                owner.running_.erase(std::coroutine_handle<promise_type>::from_promise(*this));
                if (owner.running_.empty() && owner.when_empty)
                    owner.when_empty();
            }

            Root get_return_object() noexcept { return {}; }
            std::suspend_never initial_suspend() noexcept { return {}; }
            std::suspend_never final_suspend() noexcept { return {}; }
            void return_void() noexcept {}
            void unhandled_exception() noexcept { std::terminate(); }

            Tasks &owner;
        };
    };

    static Root run(Tasks & /*owner*/, Task<void> task) { co_await std::move(task); }

    static Task<Done> done_after(Task<void> task) {
        co_await std::move(task);
        co_return Done();
    }

    template <class T> static Task<void> settle(Outcome<T> outcome, Task<T> task) {
        try {
            outcome.give(co_await std::move(task));
        } catch (...) {
            outcome.fail(std::current_exception());
        }
    }

    std::set<std::coroutine_handle<>> running_;
};

} // namespace berth
