// SPDX-License-Identifier: LGPL-2.1-or-later
// Words for the administrator, on stderr, with the priorities of sd-daemon(3) for the journal.
#pragma once

#include <cstdio>
#include <utility>

#include "base/format.hpp"

namespace berth::log {

template <class... Args> void warning(std::format_string<Args...> fmt, Args &&...args) {
    std::fputs(("<4>" + berth::format(fmt, std::forward<Args>(args)...) + "\n").c_str(), stderr);
}

} // namespace berth::log
