// SPDX-License-Identifier: LGPL-2.1-or-later
// The steps of a launch, for tests that end the launcher at each of them (meson option "hooks").
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace berth::steps {

/// The launcher has come to `step`. In a build with hooks it is killed there when $BERTH_DIE_AT
/// says so; in all others this is nothing.
inline void reached([[maybe_unused]] std::string_view step) {
#ifdef BERTH_HOOKS
    const char *last = ::getenv("BERTH_DIE_AT"); // NOLINT(concurrency-mt-unsafe): one thread
    if (last != nullptr && step == last)
        ::kill(::getpid(), SIGKILL);
#endif
}

} // namespace berth::steps
