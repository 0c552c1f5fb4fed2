// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-run: builds one machine and supervises it. `berth run` starts it.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <iterator>
#include <string>

#include <linux/close_range.h>

#include "base/error.hpp"
#include "base/own_copy.hpp"
#include "base/printable.hpp"
#include "build.hpp"
#include "config/load.hpp"
#include "launch/launcher.hpp"
#include "run/options.hpp"

namespace {

using namespace berth;

LaunchPlan plan_from(const RunOptions &options) {
    const HostFacts facts = host_facts();
    MachineConfig given;
    berth::apply(given, options.assignments);
    given = with_root(std::move(given), facts);
    std::optional<ConfigFile> file;
    if (options.use_files != UseFiles::no) {
        given.root.ephemeral = false; // an ephemeral machine is configured by the name without its random end
        file = find_config(name_of(given, facts),
                           given.root.directory.empty() ? given.root.image : given.root.directory);
    }
    std::vector<std::string> warnings;
    MachineConfig config = load_config(options.assignments, file, options.use_files,
                                       [&warnings](const std::string &text) { warnings.push_back(text); });
    LaunchPlan plan = make_plan(config, facts);
    std::ranges::move(plan.warnings, std::back_inserter(warnings));
    for (const std::string &warning : warnings)
        if (!config.quiet)
            std::fprintf(stderr, "berth run: warning: %s\n", printable(warning).c_str());
    return plan;
}

int run(int argc, char *argv[]) {
    const RunOptions options = parse_run_options(argc, argv);
    Timing timing(options.timing);
    using Action = RunOptions::Action;
    switch (options.action) {
    case Action::help: std::fputs(run_help().c_str(), stdout); return 0;
    case Action::words:
        for (const std::string &word : options.words)
            std::printf("%s\n", word.c_str());
        return 0;
    case Action::version: std::printf("berth %s\n", build::version.data()); return 0;
    case Action::dry_run: std::fputs(plan_text(plan_from(options)).c_str(), stdout); return 0;
    case Action::dry_run_json: std::fputs(plan_json(plan_from(options)).c_str(), stdout); return 0;
    case Action::run: break;
    }
    if (::geteuid() != 0)
        fail("making a machine needs root");
    own_copy::require();
    LaunchPlan plan = plan_from(options);
    timing.reached("planned");
    return Launcher(std::move(plan), std::move(timing)).run();
}

} // namespace

int main(int argc, char *argv[]) {
    try {
        // What our caller left open is none of the machine's business.
        if (::close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0)
            fail_errno("closing inherited descriptors");
        ::umask(0022);
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "berth run: %s\n", printable(error.what()).c_str());
        return 1;
    }
}
