// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-ctl: the verbs that ask berthd and systemd. The front, berth, starts it.
#include <array>

#include "berth/ctl/client.hpp"
#include "cli/program.hpp"
#include "cli/verbs.hpp"

namespace {

using berth::cli::Action;
using berth::cli::Invocation;

/// Errors from the bus become errors for people.
template <int (*Verb)(const Invocation &)> int with_bus(const Invocation &invocation) {
    try {
        return Verb(invocation);
    } catch (const sdbus::Error &error) {
        throw berth::Error(berth::cli::explain(error.getName(), error.getMessage()));
    }
}

constexpr std::array actions{
    Action{"list", with_bus<berth::cli::list>, true}, Action{"status", with_bus<berth::cli::status>, true},
    Action{"show", with_bus<berth::cli::show>, true}, Action{"inspect", with_bus<berth::cli::inspect>, true},
    Action{"start", with_bus<berth::cli::start>},     Action{"enable", with_bus<berth::cli::enable>},
    Action{"disable", with_bus<berth::cli::disable>}, Action{"poweroff", with_bus<berth::cli::poweroff>},
    Action{"reboot", with_bus<berth::cli::reboot>},   Action{"terminate", with_bus<berth::cli::terminate>},
    Action{"kill", with_bus<berth::cli::kill>},
};

} // namespace

int main(int argc, char **argv) {
    return berth::cli::run_program(argc, argv, actions);
}
