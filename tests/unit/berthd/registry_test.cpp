// SPDX-License-Identifier: LGPL-2.1-or-later
// Registry and state folder, with real processes and files.
#include "berthd/registry.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/pidfd.hpp"
#include "expect_error.hpp"
#include "systemd/process.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

namespace fs = std::filesystem;

/// A child that waits to be killed.
class Child {
public:
    Child() : pid_(::fork()) {
        if (pid_ == 0) {
            ::pause();
            ::_exit(0);
        }
        fd_ = pidfd::open(pid_);
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    ~Child() { end(); }

    void end() {
        if (pid_ > 0) {
            pidfd::send_signal(fd_.get(), SIGKILL);
            ::waitpid(pid_, nullptr, 0);
            pid_ = 0;
        }
    }

    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    pid_t pid_;
    unique_fd fd_;
};

class Events : public Registry::Observer {
public:
    std::vector<std::string> list;

private:
    void added(const Machine &machine) override { list.push_back("added " + machine.record.name); }
    void changed(const Machine &machine) override { list.emplace_back(state_name(machine.state)); }
    void removed(const Machine &machine) override { list.push_back("removed " + machine.record.name); }
};

class RegistryTest : public testing::Test {
protected:
    RegistryTest() {
        sd_event *loop = nullptr;
        ::sd_event_new(&loop);
        loop_.reset(loop);
        registry_ = start();
    }

    /// A registry as it is after a restart.
    std::unique_ptr<Registry> start() {
        return std::make_unique<Registry>(loop_.get(), StateFolder(own(), shared()), events_);
    }

    MachinePtr add(const std::string &name, pid_t leader) {
        const auto machine = std::make_shared<Machine>();
        machine->record.name = name;
        machine->record.unit = name + ".scope";
        machine->record.kind = "container";
        machine->record.leader = leader;
        machine->leader = pidfd::open(leader);
        machine->state = Machine::State::running;
        registry_->add(machine);
        return machine;
    }

    [[nodiscard]] fs::path own() const { return folder_.path() / "own"; }
    [[nodiscard]] fs::path shared() const { return folder_.path() / "shared"; }

    static std::vector<std::string> files(const fs::path &folder) {
        std::vector<std::string> names;
        for (const auto &entry : fs::directory_iterator(folder))
            names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }

    test::TemporaryDirectory folder_;
    EventPtr loop_;
    Events events_;
    std::unique_ptr<Registry> registry_;
};

} // namespace

TEST_F(RegistryTest, AMachineIsFoundByNameUnitAndProcess) {
    const Child child;
    const MachinePtr machine = add("a", child.pid());
    EXPECT_EQ(registry_->by_name("a"), machine);
    EXPECT_EQ(registry_->by_unit("a.scope"), machine);
    EXPECT_EQ(registry_->by_process(12345, "a.scope"), machine);
    EXPECT_EQ(registry_->by_process(child.pid(), "elsewhere.scope"), machine);
    EXPECT_EQ(registry_->by_process(12345, ""), nullptr);
    EXPECT_EQ(registry_->by_name("b"), nullptr);
    EXPECT_THAT(registry_->all(), ElementsAre(machine));
    EXPECT_THAT(files(own()), ElementsAre("a"));
    EXPECT_THAT(files(shared()), ElementsAre("a", "unit:a.scope"));
    EXPECT_EQ(fs::read_symlink(shared() / "unit:a.scope"), "a");
    EXPECT_EQ(fs::status(shared() / "a").permissions(), fs::perms(0644));
}

TEST_F(RegistryTest, TheDeadAreNeverShown) {
    Child child;
    add("a", child.pid());
    child.end();
    EXPECT_EQ(registry_->by_name("a"), nullptr);
    EXPECT_EQ(registry_->by_unit("a.scope"), nullptr);
    EXPECT_THAT(files(own()), IsEmpty());
    EXPECT_THAT(files(shared()), IsEmpty());
    EXPECT_THAT(events_.list, ElementsAre("added a", "closing", "removed a"));

    Child other;
    add("b", other.pid());
    other.end();
    EXPECT_THAT(registry_->all(), IsEmpty());
}

TEST_F(RegistryTest, TheLoopNoticesAnEnd) {
    Child child;
    const MachinePtr machine = add("a", child.pid());
    const Outcome<Done> end;
    machine->mourners.push_back(end);
    child.end();
    ::sd_event_run(loop_.get(), 5000000);
    EXPECT_THAT(events_.list, ElementsAre("added a", "closing", "removed a"));
    Tasks tasks;
    bool told = false;
    tasks.start([](Outcome<Done> awaited, bool *flag) -> Task<void> {
        co_await awaited;
        *flag = true;
    }(end, &told));
    EXPECT_TRUE(told);
}

TEST_F(RegistryTest, RemovingTwiceIsRemovingOnce) {
    const Child child;
    const MachinePtr machine = add("a", child.pid());
    registry_->remove(machine);
    const MachinePtr second = add("a", child.pid());
    registry_->remove(machine); // not the one that has the name now
    EXPECT_EQ(registry_->by_name("a"), second);
}

TEST_F(RegistryTest, RestoreTakesBackTheLiving) {
    const std::string unit = process::place_of(pidfd::open(::getpid()).get(), ::getpid()).unit;
    if (unit.empty())
        GTEST_SKIP() << "this test is not run in a unit of systemd";
    const Child child;
    Record record{.name = "a", .unit = unit, .own_unit = false, .leader = child.pid(), .kind = "vm"};
    StateFolder(own(), shared()).save(record);
    EXPECT_THAT(registry_->restore(), IsEmpty());
    const MachinePtr machine = registry_->by_name("a");
    ASSERT_NE(machine, nullptr);
    EXPECT_EQ(machine->state, Machine::State::running);
    EXPECT_EQ(machine->record.kind, "vm");
    EXPECT_TRUE(machine->cgroup.path.ends_with(unit));
}

TEST_F(RegistryTest, RestoreClearsAwayTheDead) {
    Child child;
    add("dead", child.pid());
    const auto later = start();
    child.end();
    const auto gone = later->restore();
    ASSERT_EQ(gone.size(), 1U);
    EXPECT_EQ(gone[0].name, "dead");
    EXPECT_THAT(files(own()), IsEmpty());
    EXPECT_THAT(files(shared()), IsEmpty());
}

TEST_F(RegistryTest, RestoreIsNotDeceivedByARecycledPid) {
    const Child child; // lives, but not in that unit
    add("a", child.pid());
    const auto later = start();
    EXPECT_EQ(later->restore().size(), 1U);
    EXPECT_EQ(later->by_name("a"), nullptr);
}

TEST_F(RegistryTest, RestorePassesOverBrokenFiles) {
    std::ofstream(own() / "broken") << "NAME=broken\nrubbish\n";
    std::ofstream(own() / ".#half") << "NAME=ha";
    fs::create_directory(own() / "folder");
    EXPECT_THAT(registry_->restore(), IsEmpty());
    EXPECT_THAT(files(own()), ElementsAre("broken", "folder"));
}

// systemd-machined writes the same folder.
TEST_F(RegistryTest, WhatOthersRegisteredIsLeftAlone) {
    std::ofstream(shared() / "theirs") << "NAME=theirs\nSCOPE=x.scope\nLEADER=1\nCLASS=container\n";
    fs::create_symlink("theirs", shared() / "unit:x.scope");
    EXPECT_THAT(registry_->restore(), IsEmpty());
    EXPECT_THAT(registry_->all(), IsEmpty());
    const Child child;
    const MachinePtr machine = add("mine", child.pid());
    // The other has taken over the file, as machined does when it starts, and then the name.
    std::ofstream(shared() / "mine") << "NAME=mine\nLEADER=1\n";
    registry_->remove(machine);
    EXPECT_THAT(files(shared()), ElementsAre("mine", "theirs", "unit:mine.scope", "unit:x.scope"));
    EXPECT_THAT(files(own()), IsEmpty());
}

TEST_F(RegistryTest, NamesTakenElsewhere) {
    const std::string unit = process::place_of(pidfd::open(::getpid()).get(), ::getpid()).unit;
    if (unit.empty())
        GTEST_SKIP() << "this test is not run in a unit of systemd";
    std::ofstream(shared() / "theirs") << "NAME=theirs\nSCOPE=" << unit << "\nLEADER=" << ::getpid() << "\n";
    fs::create_symlink("theirs", shared() / ("unit:" + unit));
    EXPECT_TRUE(registry_->taken_elsewhere("theirs", "other.scope"));
    EXPECT_TRUE(registry_->taken_elsewhere("other", unit));
    EXPECT_FALSE(registry_->taken_elsewhere("other", "other.scope"));
    Child child;
    std::ofstream(shared() / "dead") << "NAME=dead\nSCOPE=" << unit << "\nLEADER=" << child.pid() << "\n";
    EXPECT_TRUE(registry_->taken_elsewhere("dead", "other.scope"));
    child.end();
    EXPECT_FALSE(registry_->taken_elsewhere("dead", "other.scope"));
}
