// SPDX-License-Identifier: LGPL-2.1-or-later
// berthd on the bus: who may do what, and what other programs read of it.
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/env_file.hpp"
#include "base/error.hpp"
#include "base/io.hpp"
#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::MatchesRegex;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class Manager : public HostTest {
protected:
    Manager() : HostTest("managed") {}

    static void SetUpTestSuite() {
        tree = std::make_unique<SmallTree>();
        machine = std::make_unique<Machine>("managed", Words{"-D", tree->path()});
    }
    static void TearDownTestSuite() {
        machine.reset();
        tree.reset();
    }

    inline static std::unique_ptr<SmallTree> tree;
    inline static std::unique_ptr<Machine> machine;
};

Words as_nobody(Words command) {
    command.insert(command.begin(), {"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"});
    return command;
}

/// A call to berthd's manager; returns what busctl prints.
Outcome call(const Words &words) {
    Words all{"busctl", "call", "org.berth1", "/org/berth1", "org.berth1.Manager"};
    all.insert(all.end(), words.begin(), words.end());
    return run(all);
}

/// Hears the signals of berthd's manager.
class Listener {
public:
    Listener() {
        sd_bus *bus = nullptr;
        if (::sd_bus_open_system(&bus) < 0)
            berth::fail("connecting to the system bus");
        bus_.reset(bus);
        if (::sd_bus_match_signal(
                bus, nullptr, "org.berth1", "/org/berth1", "org.berth1.Manager", nullptr,
                [](sd_bus_message *, void *, sd_bus_error *) { return 0; }, nullptr)
            < 0)
            berth::fail("subscribing to berthd's signals");
    }

    /// "MEMBER NAME OBJECT" of the next one.
    [[nodiscard]] std::string next() const {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < end) {
            sd_bus_message *message = nullptr;
            if (::sd_bus_process(bus_.get(), &message) < 0)
                berth::fail("reading from the bus");
            const std::unique_ptr<sd_bus_message, decltype(&::sd_bus_message_unref)> owner(
                message, &::sd_bus_message_unref);
            const char *name = nullptr;
            const char *path = nullptr;
            if (message == nullptr)
                (void)::sd_bus_wait(bus_.get(), 1000000);
            else if (::sd_bus_message_is_signal(message, "org.berth1.Manager", nullptr) > 0
                     && ::sd_bus_message_read(message, "so", &name, &path) > 0)
                return berth::format("{} {} {}", ::sd_bus_message_get_member(message), name, path);
        }
        return "nothing came";
    }

private:
    std::unique_ptr<sd_bus, decltype(&::sd_bus_flush_close_unref)> bus_{nullptr, &::sd_bus_flush_close_unref};
};

/// A string of libsystemd's, freed.
std::string taken(char *text) {
    const std::unique_ptr<char, decltype(&std::free)> owner(text, &std::free);
    return text != nullptr ? text : "";
}

} // namespace

TEST_F(Manager, StateFileIsWhatOtherProgramsRead) {
    const fs::path file = "/run/systemd/machines/managed";
    const auto fields = berth::parse_env_file(text_of(file));
    EXPECT_EQ(fields.at("NAME"), "managed");
    EXPECT_EQ(fields.at("SCOPE"), "machine-managed.scope");
    EXPECT_EQ(fields.at("SERVICE"), "berth");
    EXPECT_EQ(fields.at("ROOT"), tree->path());
    EXPECT_EQ(fields.at("ID"), machine->property("Id"));
    EXPECT_EQ(fields.at("LEADER"), machine->property("Leader"));
    EXPECT_EQ(fields.at("CLASS"), "container");
    EXPECT_THAT(fields.at("REALTIME"), MatchesRegex("[0-9]{16}"));
    EXPECT_THAT(fields.at("MONOTONIC"), MatchesRegex("[0-9]+"));
    EXPECT_THAT(fields, Not(Contains(Key("OWN_UNIT"))));
    EXPECT_EQ(fs::status(file).permissions(), fs::perms{0644});
    EXPECT_EQ(fs::read_symlink("/run/systemd/machines/unit:machine-managed.scope"), "managed");
}

TEST_F(Manager, LibsystemdFindsTheMachine) {
    char *text = nullptr;
    ASSERT_GE(::sd_machine_get_class("managed", &text), 0);
    EXPECT_EQ(taken(text), "container");
    ASSERT_GE(::sd_pid_get_machine_name(machine->leader(), &text), 0);
    EXPECT_EQ(taken(text), "managed");
    char **names = nullptr;
    ASSERT_EQ(::sd_get_machine_names(&names), 1);
    EXPECT_EQ(taken(names[0]), "managed");
    std::free(static_cast<void *>(names));
    EXPECT_LT(::sd_machine_get_class("no-such", &text), 0);
}

TEST_F(Manager, MachineOfAProcess) {
    const std::string path = "o \"/org/berth1/machine/managed\"\n";
    EXPECT_EQ(call({"GetMachineByPID", "u", machine->property("Leader")}).out, path);
    Process inside({"berth", "exec", "managed", "sh", "-c", "echo in; exec sleep 4242"});
    inside.wait_for("in");
    const std::string pid =
        succeed({"sh", "-c", "grep -lz ^4242$ /proc/[0-9]*/cmdline | head -n1 | cut -d/ -f3"});
    EXPECT_EQ(call({"GetMachineByPID", "u", pid}).out, path);
    const Outcome other = call({"GetMachineByPID", "u", std::to_string(::getpid())});
    EXPECT_NE(other.status, 0);
    EXPECT_THAT(other.err, HasSubstr("is part of no machine"));
    EXPECT_NE(call({"GetMachineByPID", "u", "4194300"}).status, 0);
}

TEST_F(Manager, ObjectOfTheMachineHasItsProperties) {
    const auto property = [](const char *name) {
        return succeed({"busctl", "get-property", "org.berth1", "/org/berth1/machine/managed",
                        "org.berth1.Machine", name});
    };
    EXPECT_EQ(property("Name"), "s \"managed\"");
    EXPECT_EQ(property("Class"), "s \"container\"");
    EXPECT_EQ(property("Service"), "s \"berth\"");
    EXPECT_EQ(property("Unit"), "s \"machine-managed.scope\"");
    EXPECT_EQ(property("State"), "s \"running\"");
    EXPECT_EQ(property("Leader"), "u " + std::to_string(machine->leader()));
    EXPECT_EQ(property("RootDirectory"), "s \"" + tree->path().native() + "\"");
    EXPECT_THAT(property("Id"), HasSubstr("ay 16 "));
}

TEST_F(Manager, IntrospectsAsTheXmlSays) {
    const std::string text = succeed({"busctl", "introspect", "org.berth1", "/org/berth1"});
    for (const char *member :
         {"ListMachines", "GetMachine", "GetMachineByPID", "CreateMachine", "RegisterMachine",
          "UnregisterMachine", "TerminateMachine", "KillMachine", "MachineNew", "MachineRemoved"})
        EXPECT_THAT(text, HasSubstr("." + std::string(member)));
}

TEST_F(Manager, AnyoneMayListAndLook) {
    EXPECT_THAT(succeed(as_nobody({"berth", "list", "--no-legend"})), HasSubstr("managed"));
    EXPECT_EQ(succeed(as_nobody({"berth", "show", "managed", "-P", "Unit"})), "machine-managed.scope");
    EXPECT_THAT(succeed(as_nobody({"berth", "status", "managed"})), HasSubstr("machine-managed.scope"));
}

TEST_F(Manager, OnlyRootMayChangeMachines) {
    for (const Words &words : {Words{"berth", "terminate", "managed"}, Words{"berth", "poweroff", "managed"},
                               Words{"berth", "reboot", "managed"}, Words{"berth", "kill", "managed"},
                               Words{"berth", "exec", "managed", "true"},
                               Words{"busctl", "call", "org.berth1", "/org/berth1", "org.berth1.Manager",
                                     "UnregisterMachine", "s", "managed"},
                               Words{"busctl", "call", "org.berth1", "/org/berth1", "org.berth1.Manager",
                                     "OpenMachineLeader", "s", "managed"},
                               Words{"busctl", "call", "org.berth1", "/org/berth1/machine/managed",
                                     "org.berth1.Machine", "Terminate"},
                               Words{"busctl", "call", "org.berth1", "/org/berth1/machine/managed",
                                     "org.berth1.Machine", "Kill", "si", "all", "9"},
                               Words{"busctl", "call", "org.berth1", "/org/berth1/machine/managed",
                                     "org.berth1.Machine", "OpenLeader"}}) {
        const Outcome outcome = run(as_nobody(words));
        EXPECT_NE(outcome.status, 0) << testing::PrintToString(words);
        EXPECT_THAT(outcome.err,
                    AnyOf(HasSubstr("only root may"), HasSubstr("denied"), HasSubstr("password")));
    }
    EXPECT_EQ(machine->exec({"echo", "alive"}), "alive");
}

TEST_F(Manager, OnlyRootMayRegisterMachines) {
    for (const char *method : {"CreateMachine", "RegisterMachine"}) {
        const Outcome outcome =
            run(as_nobody({"sh", "-c",
                           std::string("exec busctl call org.berth1 /org/berth1 org.berth1.Manager ") + method
                               + " sayssh" + (method[0] == 'C' ? "sa\\(sv\\)" : "s")
                               + " evil 0 x container 0 ''" + (method[0] == 'C' ? " 0" : "")}));
        EXPECT_NE(outcome.status, 0) << method;
    }
    EXPECT_THAT(listed(), testing::ElementsAre("managed"));
    EXPECT_NE(run(as_nobody({"berth", "run", "-D", tree->path(), "true"})).status, 0);
}

TEST_F(Manager, ErrorsHaveNamesThatClientsMatchOn) {
    for (const Words &words :
         {Words{"GetMachine", "s", "no-such"}, Words{"TerminateMachine", "s", "no-such"},
          Words{"KillMachine", "ssi", "no-such", "all", "15"}, Words{"UnregisterMachine", "s", "no-such"}})
        EXPECT_THAT(call(words).err, AnyOf(HasSubstr("no-such")));
    EXPECT_THAT(call({"KillMachine", "ssi", "managed", "all", "0"}).err, HasSubstr("is not a signal"));
    EXPECT_THAT(call({"KillMachine", "ssi", "managed", "some", "15"}).err,
                HasSubstr("\"leader\" or \"all\""));
}

TEST_F(Manager, TellsWhenMachinesComeAndGo) {
    const Listener listener;
    const SmallTree other;
    EXPECT_EQ(run(run_words("signalled", {"-D", other.path(), "-x"}, {"true"})).status, 0);
    EXPECT_EQ(listener.next(), "MachineNew signalled /org/berth1/machine/signalled");
    EXPECT_EQ(listener.next(), "MachineRemoved signalled /org/berth1/machine/signalled");
}

TEST_F(Manager, UnregisteredMachinesRunOn) {
    const SmallTree other;
    Machine forgotten("forgotten", {"-D", other.path(), "-x"});
    const pid_t leader = forgotten.leader();
    EXPECT_EQ(call({"UnregisterMachine", "s", "forgotten"}).status, 0);
    EXPECT_THAT(listed(), testing::ElementsAre("managed"));
    EXPECT_FALSE(fs::exists("/run/systemd/machines/forgotten"));
    EXPECT_FALSE(forgotten.launcher().ended());
    EXPECT_EQ(text_of("/proc/" + std::to_string(leader) + "/comm"), "sleep\n");
    EXPECT_THAT(run(run_words("forgotten", {"-D", other.path(), "-x"}, {"true"})).err,
                HasSubstr("machine-forgotten.scope is there already and has processes"));
    EXPECT_FALSE(forgotten.launcher().ended());
    succeed({"systemctl", "kill", "--signal=KILL", "machine-forgotten.scope"});
    forgotten.launcher().wait();
}

TEST_F(Manager, OsReleaseAndAddresses) {
    EXPECT_THAT(call({"GetMachineOSRelease", "s", "managed"}).out, HasSubstr("\"ID\" \"busybox\""));
    EXPECT_EQ(call({"GetMachineAddresses", "s", "managed"}).status, 0);
}
