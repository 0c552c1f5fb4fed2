// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-config: the verb that reads configuration files, which no other needs. The front starts it.
#include <array>

#include "cli/program.hpp"
#include "cli/verbs.hpp"

namespace {

constexpr std::array actions{berth::cli::Action{"config", berth::cli::config, true}};

} // namespace

int main(int argc, char **argv) {
    return berth::cli::run_program(argc, argv, actions);
}
