// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-ns: the verb about namespaces. The front, berth, starts it.
#include <array>

#include "cli/program.hpp"
#include "cli/verbs.hpp"

namespace {

constexpr std::array actions{berth::cli::Action{"ns", berth::cli::ns_verb}};

} // namespace

#ifdef __SANITIZE_ADDRESS__
// What looks for leaks as we exit is a process, too: born into a pid namespace that was entered, it
// cannot find us, and we would wait for it for ever.
extern "C" int __lsan_is_turned_off(); // NOLINT(bugprone-reserved-identifier): its name is given
int __lsan_is_turned_off() {           // NOLINT(bugprone-reserved-identifier)
    return 1;
}
#endif

int main(int argc, char **argv) {
    return berth::cli::run_program(argc, argv, actions);
}
