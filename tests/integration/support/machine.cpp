// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/machine.hpp"

#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"

namespace berth::test {

namespace fs = std::filesystem;

namespace {

void remove_upper(const fs::path &path) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
}

fs::path upper_of(const std::string &machine) {
    return fs::path("/var/lib/berth/uppers") / machine;
}

} // namespace

std::string RunningMachine::property(const std::string &which) const {
    return berth_succeeds({"show", name_, "-P", which});
}

pid_t RunningMachine::leader() const {
    const auto pid = parse_unsigned(property("Leader"));
    if (!pid || *pid == 0)
        fail("machine {} has no leader", name_);
    return static_cast<pid_t>(*pid);
}

fs::path RunningMachine::cgroup() const {
    for (const std::string &line : split(read_file(berth::format("/proc/{}/cgroup", leader())), '\n'))
        if (line.starts_with("0::"))
            return "/sys/fs/cgroup" + line.substr(3);
    fail("the leader of {} is in no cgroup", name_);
}

std::string RunningMachine::exec(const Words &command) const {
    Words words{"exec", name_};
    words.insert(words.end(), command.begin(), command.end());
    return berth_succeeds(words);
}

Outcome RunningMachine::try_exec(const Words &command, std::string_view input) const {
    Words words{"exec", name_};
    words.insert(words.end(), command.begin(), command.end());
    return try_berth(words, input);
}

const Words Machine::idle{"sh", "-c", "echo up; exec sleep infinity"};

namespace {

bool maps_users(const Words &options) {
    return std::ranges::any_of(options, [](const std::string &option) {
        return option == "-U" || (option.starts_with("--private-users=") && !option.ends_with("=no"));
    });
}

} // namespace

Words run_words(const std::string &name, const Words &options, const Words &command) {
    Words words{"berth", "run", "--quiet", "--machine=" + name};
    // gcov(1) writes what it counted by path, as programs end or exec. A tree that is only read has no
    // place to mount that.
    const char *counters = ::getenv("BERTH_TEST_COVERAGE"); // NOLINT(concurrency-mt-unsafe): one thread
    if (counters != nullptr && !std::ranges::contains(options, "--read-only"))
        words.push_back(
            berth::format("--bind={0}:{0}{1}", counters, maps_users(options) ? ":rootidmap" : ""));
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), command.begin(), command.end());
    return words;
}

Machine::Machine(const std::string &name, const Words &options, const Words &command, Process::Stdio stdio)
    : RunningMachine(name), launcher_(run_words(name, options, command), stdio) {
    launcher_.wait_for("up");
}

Machine::~Machine() {
    if (launcher_.ended())
        return;
    try {
        const Outcome outcome = try_berth({"terminate", name()});
        if (outcome.status != 0 && !launcher_.ended()) {
            ADD_FAILURE() << "terminating machine " << name() << ": " << outcome.err;
            launcher_.send_signal(SIGKILL); // its machine dies with it
        }
        launcher_.wait();
    } catch (const std::exception &error) {
        ADD_FAILURE() << "ending machine " << name() << ": " << error.what();
    }
}

Service::Service(const std::string &name, std::string_view toml)
    : RunningMachine(name), file_(fs::path("/etc/berth") / (name + ".toml")) {
    remove_upper(upper_of(name));
    fs::create_directories(file_.parent_path());
    reconfigure(toml);
}

Service::~Service() {
    try {
        stop();
        (void)run({"systemctl", "reset-failed", unit()});
    } catch (const std::exception &error) {
        ADD_FAILURE() << "stopping " << unit() << ": " << error.what();
    }
    std::error_code ignored;
    fs::remove(file_, ignored);
    remove_upper(upper_of(name()));
}

void Service::reconfigure(std::string_view toml) const {
    std::ofstream(file_) << toml;
}

void Service::start() {
    const Outcome outcome = run({"systemctl", "start", unit()});
    if (outcome.status != 0)
        fail("starting {}: {}{}", unit(), outcome.err,
             run({"journalctl", "-n30", "--no-pager", "-u", unit()}).out);
}

void Service::stop() {
    succeed({"systemctl", "stop", unit()});
}

std::string Service::unit_property(const std::string &which) const {
    return test::unit_property(unit(), which);
}

fs::path Service::upper() const {
    return upper_of(name()) / "upper";
}

PersistentUpper::PersistentUpper(const std::string &machine) : path_(upper_of(machine)) {
    remove_upper(path_);
}

PersistentUpper::~PersistentUpper() {
    remove_upper(path_);
}

std::string unit_property(const std::string &unit, const std::string &which) {
    return succeed({"systemctl", "show", "--value", "--property=" + which, unit});
}

std::vector<std::string> listed() {
    std::vector<std::string> names;
    for (const std::string &line : split(berth_succeeds({"list", "--no-legend"}), '\n'))
        if (!line.empty())
            names.push_back(line.substr(0, line.find(' ')));
    return names;
}

} // namespace berth::test
