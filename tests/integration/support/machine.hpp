// SPDX-License-Identifier: LGPL-2.1-or-later
// Machines that run for as long as a test needs them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "support/process.hpp"

namespace berth::test {

/// What can be asked of a machine, however it was started.
class RunningMachine {
public:
    explicit RunningMachine(std::string name) : name_(std::move(name)) {}
    RunningMachine(const RunningMachine &) = delete;
    RunningMachine &operator=(const RunningMachine &) = delete;
    virtual ~RunningMachine() = default;

    [[nodiscard]] const std::string &name() const { return name_; }

    /// A property as `berth show` prints it.
    [[nodiscard]] std::string property(const std::string &which) const;
    [[nodiscard]] pid_t leader() const;
    /// The folder of the cgroup that the leader is in.
    [[nodiscard]] std::filesystem::path cgroup() const;

    /// `berth exec`, which must succeed; returns what it printed.
    std::string exec(const Words &command) const;
    [[nodiscard]] Outcome try_exec(const Words &command, std::string_view input = {}) const;

private:
    std::string name_;
};

/// `berth run`. Terminated at the end, should it still run.
class Machine : public RunningMachine {
public:
    /// A command that says "up" and goes on until it is killed.
    static const Words idle;

    /// Starts `berth run --quiet --machine=NAME OPTIONS… COMMAND…` and waits for an "up" from it.
    Machine(const std::string &name, const Words &options, const Words &command = idle,
            Process::Stdio stdio = Process::Stdio::pipes);
    ~Machine() override;

    [[nodiscard]] Process &launcher() { return launcher_; }

private:
    Process launcher_;
};

/// The words that start a machine that way.
[[nodiscard]] Words run_words(const std::string &name, const Words &options, const Words &command);

/// /etc/berth/NAME.toml, which the service berth@NAME reads. Gone at the end, with the service and
/// with all that the machine wrote.
class Service : public RunningMachine {
public:
    Service(const std::string &name, std::string_view toml);
    ~Service() override;

    /// Starts it and waits until it is ready.
    void start();
    void stop();

    [[nodiscard]] std::string unit() const { return "berth@" + name() + ".service"; }
    /// A property of the unit, as systemd has it.
    [[nodiscard]] std::string unit_property(const std::string &which) const;

    [[nodiscard]] std::filesystem::path upper() const;
    void reconfigure(std::string_view toml) const;

private:
    std::filesystem::path file_;
};

/// Removes what a machine of that name has written to a persistent upper, at both ends of its life.
class PersistentUpper {
public:
    explicit PersistentUpper(const std::string &machine);
    PersistentUpper(const PersistentUpper &) = delete;
    PersistentUpper &operator=(const PersistentUpper &) = delete;
    ~PersistentUpper();

    [[nodiscard]] std::filesystem::path path() const { return path_ / "upper"; }

private:
    std::filesystem::path path_;
};

/// A property of any unit.
[[nodiscard]] std::string unit_property(const std::string &unit, const std::string &which);

/// Names of the machines that `berth list` shows.
[[nodiscard]] std::vector<std::string> listed();

} // namespace berth::test
