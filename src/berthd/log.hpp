// SPDX-License-Identifier: LGPL-2.1-or-later
// Words for the administrator, on stderr, with the priorities of sd-daemon(3) for the journal.
#pragma once

#include <cstdio>
#include <format>
#include <print>
#include <utility>

namespace berth::log {

template <class... Args> void warning(std::format_string<Args...> fmt, Args &&...args) {
    std::println(stderr, "<4>{}", std::format(fmt, std::forward<Args>(args)...));
}

} // namespace berth::log
