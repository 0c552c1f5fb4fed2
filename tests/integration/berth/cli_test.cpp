// SPDX-License-Identifier: LGPL-2.1-or-later
// What berth prints, for people and for programs.
#include <nlohmann/json.hpp>

#include <memory>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

namespace {

class Cli : public HostTest {
protected:
    Cli() : HostTest("shown") {}

    static void SetUpTestSuite() {
        tree = std::make_unique<SmallTree>();
        layer = std::make_unique<Folder>();
        one = std::make_unique<Machine>("shown-one", Words{"-D", tree->path(), "-x"});
        two = std::make_unique<Machine>("shown-two",
                                        Words{"-D", tree->path(), "--layer=" + layer->path().native(),
                                              "--upper=ephemeral", "--private-network"});
    }
    static void TearDownTestSuite() {
        one.reset();
        two.reset();
        layer.reset();
        tree.reset();
    }

    inline static std::unique_ptr<SmallTree> tree;
    inline static std::unique_ptr<Folder> layer;
    inline static std::unique_ptr<Machine> one;
    inline static std::unique_ptr<Machine> two;
};

} // namespace

TEST_F(Cli, ListIsATableAsMachinectlHasIt) {
    const std::string text = berth_succeeds({"list"});
    EXPECT_THAT(text, StartsWith("MACHINE   CLASS     SERVICE OS      VERSION ADDRESSES\n"));
    EXPECT_THAT(text, HasSubstr("shown-one container berth   busybox -       "));
    EXPECT_THAT(text, HasSubstr("\n\n2 machines listed."));
    EXPECT_LT(text.find("shown-one"), text.find("shown-two"));
    EXPECT_EQ(berth_succeeds({}), text) << "what is done without a verb";
}

TEST_F(Cli, LegendsCanBeLeftOut) {
    const std::string text = berth_succeeds({"list", "--no-legend"});
    EXPECT_THAT(text, StartsWith("shown-one "));
    EXPECT_THAT(text, Not(HasSubstr("MACHINE")));
    EXPECT_THAT(text, Not(HasSubstr("listed")));
}

TEST_F(Cli, ListAsJson) {
    for (const char *mode : {"json", "json-pretty"}) {
        const auto rows = nlohmann::json::parse(berth_succeeds({"list", "-o", mode}));
        ASSERT_EQ(rows.size(), 2U);
        EXPECT_EQ(rows[0]["machine"], "shown-one");
        EXPECT_EQ(rows[0]["class"], "container");
        EXPECT_EQ(rows[0]["service"], "berth");
        EXPECT_EQ(rows[0]["os"], "busybox");
        EXPECT_TRUE(rows[0]["version"].is_null());
        EXPECT_TRUE(rows[0].contains("addresses"));
    }
}

TEST_F(Cli, ShowPrintsPropertiesForScripts) {
    const std::string text = berth_succeeds({"show", "shown-one"});
    EXPECT_THAT(text,
                AllOf(HasSubstr("Name=shown-one\n"), HasSubstr("Class=container\n"),
                      HasSubstr("Service=berth\n"), HasSubstr("Unit=machine-shown\\x2done.scope\n"),
                      HasSubstr("State=running"), ContainsRegex("Leader=[0-9]+\n"),
                      ContainsRegex("Id=[0-9a-f]{32}\n"), ContainsRegex("Timestamp=[A-Z][a-z]{2} [0-9]{4}-"),
                      ContainsRegex("TimestampMonotonic=[0-9]+\n")));
    EXPECT_EQ(berth_succeeds({"show", "shown-one", "--property=Name,State"}),
              "Name=shown-one\nState=running");
    EXPECT_EQ(berth_succeeds({"show", "shown-one", "-p", "Name", "--value"}), "shown-one");
    EXPECT_EQ(berth_succeeds({"show", "shown-one", "shown-two", "-p", "Name"}),
              "Name=shown-one\n\nName=shown-two");
    EXPECT_THAT(berth_succeeds({"show"}), HasSubstr("Version="));
}

TEST_F(Cli, StatusShowsAllThereIs) {
    const std::string text = berth_succeeds({"status", "shown-two"});
    EXPECT_THAT(text, ContainsRegex("^shown-two\\([0-9a-f]{32}\\)\n"));
    EXPECT_THAT(text, ContainsRegex("Since: .*ago"));
    EXPECT_THAT(text, HasSubstr("Leader: " + std::to_string(two->leader()) + " (sleep)"));
    EXPECT_THAT(text, HasSubstr("Service: berth; class container"));
    EXPECT_THAT(text, HasSubstr("OS: BusyBox test image"));
    EXPECT_THAT(text, HasSubstr("Unit: machine-shown\\x2dtwo.scope"));
    EXPECT_THAT(text, HasSubstr(tree->path().native()));
    EXPECT_THAT(text, HasSubstr(layer->path().native()));
    EXPECT_THAT(text, HasSubstr("(upper)"));
    EXPECT_THAT(text, ContainsRegex("payload"));
    EXPECT_THAT(text, ContainsRegex(std::to_string(two->leader()) + " .*sleep infinity"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b"))) << "no colour where there is no terminal";
}

TEST_F(Cli, StatusOfAllWithoutAName) {
    const std::string text = berth_succeeds({"status"});
    EXPECT_THAT(text, AllOf(HasSubstr("shown-one("), HasSubstr("shown-two(")));
}

TEST_F(Cli, StatusShowsTheLastLinesOfTheLog) {
    const SmallTree other;
    Service service("logging",
                    "[root]\ndirectory = \"" + other.path().native() + "\"\nupper = \"ephemeral\"\n");
    service.start();
    EXPECT_TRUE(eventually([] { return berth_succeeds({"status", "logging"}).contains("test init is up"); }));
    EXPECT_THAT(berth_succeeds({"status", "--lines=0", "logging"}), Not(HasSubstr("test init is up")));
}

TEST_F(Cli, ColourOnATerminalOnly) {
    Process process({"env", "TERM=xterm", "berth", "list", "--no-pager"}, Process::Stdio::terminal);
    EXPECT_EQ(process.wait(), 0);
    EXPECT_THAT(process.out(), HasSubstr("\x1b["));
    Process plain({"env", "TERM=xterm", "NO_COLOR=1", "berth", "list", "--no-pager"},
                  Process::Stdio::terminal);
    EXPECT_EQ(plain.wait(), 0);
    EXPECT_THAT(plain.out(), Not(HasSubstr("\x1b[")));
}

TEST_F(Cli, VersionAndHelp) {
    EXPECT_THAT(berth_succeeds({"--version"}), MatchesRegex("berth [0-9.]+"));
    EXPECT_EQ(berth_succeeds({"run", "--version"}), berth_succeeds({"--version"}));
    const std::string help = berth_succeeds({"--help"});
    for (const char *verb : {"list", "status", "show", "run", "start", "poweroff", "reboot", "terminate",
                             "kill", "exec", "shell", "enable", "disable"})
        EXPECT_THAT(help, ContainsRegex("\n  " + std::string(verb) + "[ \n]")) << verb;
    EXPECT_THAT(berth_succeeds({"run", "--help"}),
                AllOf(HasSubstr("--directory"), HasSubstr("--layer"), HasSubstr("--boot")));
}

TEST_F(Cli, WrongCommandLines) {
    const auto refusal = [](const Words &words) {
        const Outcome outcome = try_berth(words);
        EXPECT_EQ(outcome.status, 1);
        return outcome.err;
    };
    EXPECT_THAT(refusal({"lsit"}),
                AllOf(HasSubstr("unknown verb \"lsit\""), HasSubstr("did you mean \"list\"?")));
    EXPECT_THAT(refusal({"terminate"}), HasSubstr("too few arguments: berth terminate NAME"));
    EXPECT_THAT(refusal({"list", "extra"}), HasSubstr("too many arguments"));
    EXPECT_THAT(refusal({"list", "--nonsense"}), HasSubstr("nonsense"));
    EXPECT_THAT(refusal({"kill", "-s", "NOTHING", "shown-one"}), HasSubstr("\"NOTHING\" is not a signal"));
}

TEST_F(Cli, WhatIsUnknownAmongManyDoesNotStopTheRest) {
    const Outcome outcome = try_berth({"show", "no-such", "shown-one", "-p", "Name"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("no-such"), HasSubstr("berth list shows those that are")));
    EXPECT_THAT(outcome.out, HasSubstr("Name=shown-one"));
}

TEST_F(Cli, DryRunTellsAndDoesNothing) {
    const Words words{"run", "-M", "planned", "-D", tree->path(), "-x", "--bind=/etc:/mnt"};
    Words text = words;
    text.emplace_back("--dry-run");
    EXPECT_THAT(berth_succeeds(text),
                AllOf(HasSubstr("planned"), HasSubstr(tree->path().native()), HasSubstr("/mnt")));
    Words json = words;
    json.emplace_back("--dry-run=json");
    const auto plan = nlohmann::json::parse(berth_succeeds(json));
    EXPECT_EQ(plan["name"], "planned");
    EXPECT_THAT(listed(), testing::ElementsAre("shown-one", "shown-two"));
}

TEST_F(Cli, DryRunTellsWhatEveryMachineHasAndWhereSettingsComeFrom) {
    const auto plan = nlohmann::json::parse(berth_succeeds(
        {"run", "-M", "planned", "-D", tree->path(), "-x", "--capability=CAP_NET_ADMIN", "--dry-run=json"}));
    const auto has = [](const auto &list, const std::string &path) {
        return std::ranges::any_of(list, [&](const auto &entry) { return entry.at("path") == path; });
    };
    const auto &api = plan.at("api");
    for (const char *path : {"/proc", "/sys", "/dev/pts", "/run", "/sys/fs/cgroup"})
        EXPECT_TRUE(has(api.at("filesystems"), path)) << path;
    EXPECT_TRUE(has(api.at("covers"), "/proc/kcore"));
    EXPECT_TRUE(has(api.at("devices"), "/dev/null"));
    EXPECT_EQ(api.at("links").at("/dev/fd"), "/proc/self/fd");
    EXPECT_EQ(plan.at("origins").at("exec.capability"), "--capability=CAP_NET_ADMIN");
}

TEST_F(Cli, TimingTellsTheStepsOfTheStart) {
    const auto timed = [](const std::string &option) {
        return try_berth({"run", "-q", "-P", "-M", "timed", "-D", tree->path(), "-x", option, "echo", "out"});
    };
    const Outcome text = timed("--timing");
    EXPECT_EQ(text.out, "out\n");
    EXPECT_THAT(text.err, ContainsRegex("STEP +TOOK +SINCE START\nplanned +[0-9.]+ ms"));
    const auto steps = nlohmann::json::parse(timed("--timing=json").err).at("steps");
    std::vector<std::string> names;
    double last = 0;
    for (const auto &step : steps) {
        names.push_back(step.at("step"));
        EXPECT_GE(step.at("since"), last);
        last = step.at("since");
    }
    EXPECT_THAT(names,
                testing::ElementsAre("planned", "opened", "users", "locked", "assembled", "born", "mapped",
                                     "linked", "registered", "mounted", "placed", "sent", "running"));
    EXPECT_THAT(timed("--timing=xml").err, HasSubstr("--timing=xml: the forms are text and json"));
}

class CliWithoutMachines : public HostTest {};

TEST_F(CliWithoutMachines, EmptyListSaysSo) {
    EXPECT_EQ(berth_succeeds({"list"}), "No machines.");
    EXPECT_EQ(berth_succeeds({"list", "--no-legend"}), "");
    EXPECT_EQ(berth_succeeds({"list", "-o", "json"}), "[]");
}
