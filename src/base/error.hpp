// SPDX-License-Identifier: LGPL-2.1-or-later
// The one exception type of the project, and the helpers that make it.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/format.hpp"

namespace berth {

/// An error as a person reads it: what was being done, to what, why it failed, what to do.
/// `code()` is the errno value behind it, or 0 when no system call failed.
class Error : public std::runtime_error {
public:
    explicit Error(const std::string &what, int code = 0) : std::runtime_error(what), code_(code) {}

    [[nodiscard]] int code() const noexcept { return code_; }

private:
    int code_;
};

/// Text of an errno value, from a thread-safe source.
[[nodiscard]] std::string errno_text(int code);

/// Throws an Error without an errno: for bad input.
[[noreturn]] void vfail(std::string_view text, std::format_args args);
template <class... Args> [[noreturn]] void fail(std::format_string<Args...> text, Args &&...args) {
    vfail(text.get(), std::make_format_args(args...));
}

/// Throws an Error that ends in the text of `code`.
/// The message says what was being done: "opening /etc/berth/a.toml".
[[noreturn]] void vfail_code(int code, std::string_view text, std::format_args args);
template <class... Args>
[[noreturn]] void fail_code(int code, std::format_string<Args...> text, Args &&...args) {
    vfail_code(code, text.get(), std::make_format_args(args...));
}

/// As fail_code(), with errno as it is on entry.
template <class... Args> [[noreturn]] void fail_errno(std::format_string<Args...> text, Args &&...args) {
    const int code = errno;
    vfail_code(code, text.get(), std::make_format_args(args...));
}

} // namespace berth
