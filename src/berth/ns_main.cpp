// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-ns: the verb about namespaces. The front, berth, starts it.
#include <array>

#include "berth/program.hpp"
#include "berth/verbs.hpp"

namespace {

constexpr std::array actions{berth::cli::Action{"ns", berth::cli::ns_verb}};

} // namespace

int main(int argc, char **argv) {
    return berth::cli::run_program(argc, argv, actions);
}
