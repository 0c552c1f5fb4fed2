// SPDX-License-Identifier: LGPL-2.1-or-later
// What the programs behind the front, berth, have in common.
#pragma once

#include <span>
#include <string_view>

#include "cli/options.hpp"

namespace berth::cli {

/// A verb that the running program does itself.
struct Action {
    std::string_view verb;
    int (*run)(const Invocation &);
    bool paged = false; ///< its output may be long
};

/// Reads the command line and does what it says; what `actions` lacks is left to the program that
/// has it, which takes our place. Returns an exit code.
[[nodiscard]] int run_program(int argc, char **argv, std::span<const Action> actions);

} // namespace berth::cli
