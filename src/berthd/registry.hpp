// SPDX-License-Identifier: LGPL-2.1-or-later
// The machines that there are, by name and by unit, each with a watch over its leader.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "berthd/record.hpp"
#include "berthd/state_folder.hpp"
#include "bus/event.hpp"
#include "bus/task.hpp"
#include "systemd/process.hpp"

namespace berth {

struct Machine {
    enum class State {
        opening, ///< systemd is making its unit
        running,
        closing, ///< being terminated, or gone
    };

    Record record;
    unique_fd leader; ///< pidfd
    State state = State::opening;
    process::Cgroup cgroup;              ///< of its unit, once known
    std::vector<Outcome<Done>> mourners; ///< who waits for its end
    unsigned looking = 0;                ///< children of ours that look into it
};

using MachinePtr = std::shared_ptr<Machine>;

[[nodiscard]] const char *state_name(Machine::State state) noexcept;

class Registry {
public:
    /// Hears of what happens to machines.
    class Observer {
    public:
        virtual ~Observer() = default;
        virtual void added(const Machine &machine) = 0;
        virtual void changed(const Machine &machine) = 0;
        virtual void removed(const Machine &machine) = 0;
    };

    Registry(sd_event *loop, StateFolder files, Observer &observer);

    /// Takes back the machines that an earlier berthd left. Those whose leader is gone are
    /// removed and returned.
    std::vector<Record> restore();

    /// Adds a machine and writes its files. Name and unit must be free.
    void add(const MachinePtr &machine);

    // Whoever is found lives: a machine whose leader has exited is removed on sight.
    [[nodiscard]] MachinePtr by_name(const std::string &name);
    [[nodiscard]] MachinePtr by_unit(const std::string &unit);
    /// The machine of a living process: its leader, or anything in its unit.
    [[nodiscard]] MachinePtr by_process(pid_t pid, const std::string &unit);
    [[nodiscard]] std::vector<MachinePtr> all();

    /// As StateFolder::taken_elsewhere().
    [[nodiscard]] bool taken_elsewhere(const std::string &name, const std::string &unit) const {
        return files_.taken_elsewhere(name, unit);
    }

    void set_state(Machine &machine, Machine::State state);

    /// Forgets a machine: files, names, watch. Nothing when that was done before.
    void remove(const MachinePtr &machine);

private:
    struct Entry {
        MachinePtr machine;
        std::unique_ptr<Watch> watch;
    };

    void enter(const MachinePtr &machine);

    sd_event *loop_;
    StateFolder files_;
    Observer &observer_;
    std::map<std::string, Entry> by_name_;
    std::map<std::string, MachinePtr> by_unit_;
};

} // namespace berth
