// SPDX-License-Identifier: LGPL-2.1-or-later
// The command line of `berth run`, whose options are systemd-nspawn's and those of the settings
// table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "config/settings.hpp"
#include "launch/timing.hpp"

namespace berth {

struct RunOptions {
    enum class Action : std::uint8_t { run, help, version, words, dry_run, dry_run_json };
    Action action = Action::run;
    Timing::Form timing = Timing::Form::none;
    UseFiles use_files = UseFiles::yes;
    std::vector<Assignment> assignments;
    std::vector<std::string> words; ///< that an option takes: to be told
};

/// Throws Error on an option that is not known or lacks its argument.
[[nodiscard]] RunOptions parse_run_options(int argc, char *argv[]);

/// The text of --help.
[[nodiscard]] std::string run_help();

} // namespace berth
