// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-exec: the verbs that join a machine. The front, berth, starts it.
#include <array>

#include "cli/program.hpp"
#include "cli/verbs.hpp"

namespace {

constexpr std::array actions{
    berth::cli::Action{"exec", berth::cli::exec},
    berth::cli::Action{"shell", berth::cli::shell},
    berth::cli::Action{"bind", berth::cli::bind},
    berth::cli::Action{"unbind", berth::cli::unbind},
};

} // namespace

int main(int argc, char **argv) {
    return berth::cli::run_program(argc, argv, actions);
}
