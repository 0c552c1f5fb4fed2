// SPDX-License-Identifier: LGPL-2.1-or-later
// The steps of a launch, for tests that end the launcher at each of them (meson option "hooks").
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>

namespace berth::steps {

/// The launcher has come to `step`. In a build with hooks it is killed there when $BERTH_DIE_AT says
/// so, or stopped when $BERTH_STOP_AT does; in all others this is nothing.
inline void reached([[maybe_unused]] std::string_view step) {
#ifdef BERTH_HOOKS
    // NOLINTBEGIN(concurrency-mt-unsafe): one thread
    for (const auto &[name, signal] : {std::pair{"BERTH_DIE_AT", SIGKILL}, {"BERTH_STOP_AT", SIGSTOP}})
        if (const char *last = ::getenv(name); last != nullptr && step == last)
            ::kill(::getpid(), signal);
    // NOLINTEND(concurrency-mt-unsafe)
#endif
}

} // namespace berth::steps
