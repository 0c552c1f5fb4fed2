// SPDX-License-Identifier: LGPL-2.1-or-later
// The verbs. Those that are functions return an exit code; what goes wrong is thrown.
#pragma once

#include <span>

#include "cli/options.hpp"

namespace berth::cli {

/// All of them.
[[nodiscard]] std::span<const Verb> verbs();

// berth-ctl's.
[[nodiscard]] int list(const Invocation &invocation);
[[nodiscard]] int status(const Invocation &invocation);
[[nodiscard]] int show(const Invocation &invocation);
[[nodiscard]] int inspect(const Invocation &invocation);
[[nodiscard]] int start(const Invocation &invocation);
[[nodiscard]] int poweroff(const Invocation &invocation);
[[nodiscard]] int reboot(const Invocation &invocation);
[[nodiscard]] int terminate(const Invocation &invocation);
[[nodiscard]] int kill(const Invocation &invocation);
[[nodiscard]] int enable(const Invocation &invocation);
[[nodiscard]] int disable(const Invocation &invocation);

// berth-config's.
[[nodiscard]] int config(const Invocation &invocation);

// berth-ns's.
[[nodiscard]] int ns_verb(const Invocation &invocation);

// berth-exec's.
[[nodiscard]] int exec(const Invocation &invocation);
[[nodiscard]] int shell(const Invocation &invocation);
[[nodiscard]] int bind(const Invocation &invocation);
[[nodiscard]] int unbind(const Invocation &invocation);

} // namespace berth::cli
