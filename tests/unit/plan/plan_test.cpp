// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <nlohmann/json.hpp>

#include "config/mount_syntax.hpp"
#include "expect_error.hpp"
#include "plan/plan.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using berth::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class Plan : public testing::Test {
protected:
    Plan() {
        directory_.write("os/usr/lib/os-release", "ID=test\n");
        directory_.write("os/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        directory_.write("layer/etc/app", "x");
        facts_.working_directory = directory_.path();
        facts_.state_directory = directory_.path() / "state";
        facts_.image_directories = {directory_.path().native()};
    }

    [[nodiscard]] std::string at(const std::string &name) const { return directory_.path() / name; }
    [[nodiscard]] LaunchPlan plan() const { return make_plan(config_, facts_); }
    [[nodiscard]] std::string error() const {
        return error_of([&] { (void)plan(); });
    }

    test::TemporaryDirectory directory_;
    MachineConfig config_;
    HostFacts facts_;
};

TEST_F(Plan, ADirectoryIsItsOwnRoot) {
    config_.root.directory = "os";
    const LaunchPlan made = plan();
    EXPECT_EQ(made.root.kind, RootPlan::Kind::directory);
    EXPECT_THAT(made.root.layers, ElementsAre(at("os")));
    EXPECT_EQ(made.name, "os");
    EXPECT_EQ(made.hostname, "os");
    EXPECT_EQ(made.machine_id, "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(made.unit.scope, "machine-os.scope");
    EXPECT_EQ(made.unit.slice, "machine.slice");
    EXPECT_EQ(made.kill_signal, 0);
}

TEST_F(Plan, ANameAloneFindsItsTree) {
    config_.name = "os";
    EXPECT_THAT(plan().root.layers, ElementsAre(at("os")));
    config_.name = "absent";
    EXPECT_THAT(error(), HasSubstr("no tree to run \"absent\""));
}

TEST_F(Plan, ANameAloneFindsItsImage) {
    directory_.write("disk.raw", "");
    config_.name = "disk";
    EXPECT_EQ(plan().root.image, at("disk.raw"));
    EXPECT_FALSE(plan().root.read_only);
    fs::permissions(at("disk.raw"), fs::perms::owner_read);
    EXPECT_TRUE(plan().root.read_only);
    fs::create_directories(at("disk/usr"));
    EXPECT_THAT(plan().root.layers, ElementsAre(at("disk"))) << "a directory comes first";
}

TEST_F(Plan, NamesAreMadeAsByThePeer) {
    facts_.host_name = "the-host";
    config_.root.directory = "/";
    config_.root.read_only = true;
    EXPECT_EQ(plan().name, "the-host");
    config_.root.directory.clear();
    directory_.write("debian-13.2.img", "");
    directory_.write("debian-13.2.raw", "");
    config_.root.image = "debian-13.2.img";
    EXPECT_EQ(plan().name, "debian-13.2.img");
    config_.root.image = "debian-13.2.raw";
    EXPECT_EQ(plan().name, "debian-13.2");
}

TEST_F(Plan, ATemplateMakesTheTreeOfThatName) {
    config_.name = "new";
    config_.root.template_tree = at("os");
    EXPECT_THAT(plan().root.layers, ElementsAre(at("new")));
    EXPECT_EQ(plan().root.template_tree, at("os"));
}

TEST_F(Plan, WhatIsThrownAwayKeepsNoJournal) {
    config_.root.directory = "os";
    config_.root.ephemeral = true;
    EXPECT_EQ(plan().link_journal.mode, LinkJournal::Mode::no);
    config_.exec.link_journal = {.mode = LinkJournal::Mode::guest, .tolerant = true};
    EXPECT_EQ(plan().link_journal.mode, LinkJournal::Mode::no);
    config_.exec.link_journal.tolerant = false;
    EXPECT_THAT(error(), HasSubstr("has no journal to keep"));
    config_.root.ephemeral = false;
    EXPECT_EQ(plan().link_journal.mode, LinkJournal::Mode::guest);
}

TEST_F(Plan, EphemeralMachinesGetAnOverlayAndAnOwnName) {
    config_.root.directory = "os";
    config_.root.ephemeral = true;
    const LaunchPlan made = plan();
    EXPECT_EQ(made.root.kind, RootPlan::Kind::overlay);
    EXPECT_EQ(made.root.upper, Upper::Kind::ephemeral);
    EXPECT_THAT(made.name, testing::MatchesRegex("os-[0-9a-f]{16}"));
    config_.name = "given";
    EXPECT_EQ(plan().name, "given");
}

TEST_F(Plan, LayersAreNeverWrittenToAndNothingIsLost) {
    config_.name = "m";
    config_.root.layers = {at("os"), at("layer")};
    const LaunchPlan made = plan();
    EXPECT_EQ(made.root.kind, RootPlan::Kind::overlay);
    EXPECT_THAT(made.root.layers, ElementsAre(at("os"), at("layer")));
    EXPECT_EQ(made.root.upper, Upper::Kind::persistent);
    EXPECT_EQ(made.root.upper_directory, at("state") + "/uppers/m");
    config_.root.read_only = true;
    EXPECT_EQ(plan().root.upper, Upper::Kind::none);
}

TEST_F(Plan, TheDirectoryIsTheLowestLayer) {
    config_.root.directory = "os";
    config_.root.layers = {at("layer")};
    EXPECT_THAT(plan().root.layers, ElementsAre(at("os"), at("layer")));
    EXPECT_EQ(plan().name, "layer");
}

TEST_F(Plan, TheTopmostMachineIdCounts) {
    directory_.write("layer/etc/machine-id", "ffffffffffffffffffffffffffffffff\n");
    config_.root.layers = {at("os"), at("layer")};
    EXPECT_EQ(plan().machine_id, std::string(32, 'f'));
    directory_.write("layer/etc/machine-id", "uninitialized\n");
    EXPECT_NE(plan().machine_id, "0123456789abcdef0123456789abcdef"); // hidden by the layer above
    EXPECT_EQ(plan().machine_id.size(), 32U);
    config_.exec.machine_id = std::string(32, 'a');
    EXPECT_EQ(plan().machine_id, std::string(32, 'a'));
}

TEST_F(Plan, AWhiteoutHidesTheFileBelow) {
    if (::mknod((directory_.path() / "layer/etc/machine-id").c_str(), S_IFCHR, ::makedev(0, 0)) < 0)
        GTEST_SKIP() << "no right to make a device node here";
    config_.root.layers = {at("os"), at("layer")};
    EXPECT_NE(plan().machine_id, "0123456789abcdef0123456789abcdef");
}

TEST_F(Plan, AHostileMachineIdIsAsGoodAsNone) {
    fs::remove(directory_.path() / "os/etc/machine-id");
    ASSERT_EQ(::mkfifo(at("os/etc/machine-id").c_str(), 0600), 0);
    config_.root.directory = "os";
    EXPECT_EQ(plan().machine_id.size(), 32U);
}

TEST_F(Plan, WhatIsNoOsTreeIsRefused) {
    config_.root.directory = "layer";
    EXPECT_THAT(error(), HasSubstr("does not look like an OS tree: it has no /usr"));
    config_.exec.boot = true;
    EXPECT_THAT(error(), HasSubstr("it has no os-release file"));
    config_.root.directory = "missing";
    EXPECT_THAT(error(), HasSubstr("No such file or directory"));
    config_.root.directory = "os/etc/machine-id";
    EXPECT_THAT(error(), HasSubstr("Not a directory"));
}

TEST_F(Plan, ErrorsNameTheOrigin) {
    config_.root.layers = {at("os"), at("missing")};
    config_.origins["root.layers"] = {"/etc/berth/m.toml:2:10: layers"};
    EXPECT_THAT(error(), HasSubstr("/etc/berth/m.toml:2:10: layers: " + at("missing")));
}

TEST_F(Plan, ContradictionsAreRefused) {
    config_.root.directory = "os";
    config_.root.ephemeral = true;
    config_.root.upper = Upper{.kind = Upper::Kind::persistent, .path = {}};
    EXPECT_THAT(error(), HasSubstr("ephemeral and keep"));
    config_.root.upper.reset();
    config_.unit.keep_unit = true;
    config_.unit.slice = "x.slice";
    EXPECT_THAT(error(), HasSubstr("no slice or properties"));
    config_.unit.keep_unit = false;
    config_.exec.ambient_capability = {"cap_net_admin"};
    EXPECT_THAT(error(), HasSubstr("cap_net_admin is not in the bounding set"));
}

TEST_F(Plan, TheHostsRootIsNotWrittenTo) {
    config_.root.directory = "/";
    config_.name = "m";
    EXPECT_THAT(error(), HasSubstr("--ephemeral, --volatile or --read-only"));
}

TEST_F(Plan, MountsComeParentsFirst) {
    config_.root.directory = "os";
    for (const char *destination : {"/a/b", "/ab", "/a", "/a/b/../c/"})
        config_.mounts.push_back(parse_bind(at("layer") + ":" + destination, false, {"--bind"}));
    std::vector<std::string> order;
    for (const MountPlan &mount : plan().mounts)
        order.push_back(mount.destination);
    EXPECT_THAT(order, ElementsAre("/a", "/a/b", "/a/c", "/ab"));
}

TEST_F(Plan, BindSourcesMustExistUnlessOptional) {
    config_.root.directory = "os";
    config_.mounts = {parse_bind(at("none") + ":/x", false, {"f.toml:1:1: bind"})};
    EXPECT_THAT(error(), HasSubstr("f.toml:1:1: bind: " + at("none") + ": No such file"));
    config_.mounts[0].optional = true;
    EXPECT_TRUE(plan().mounts.empty());
}

TEST_F(Plan, BootingAsksInitToShutDown) {
    config_.root.directory = "os";
    config_.exec.boot = true;
    EXPECT_EQ(plan().kill_signal, SIGRTMIN + 3);
    config_.exec.user = "daemon";
    EXPECT_THAT(error(), HasSubstr("an init runs as root"));
}

TEST_F(Plan, PrivateNetworkBringsItsCapability) {
    config_.root.directory = "os";
    const auto without = plan();
    config_.network.private_network = true;
    const auto with = plan();
    EXPECT_EQ(capabilities::names(with.bounding & ~without.bounding),
              std::vector<std::string>{"cap_net_admin"});
    EXPECT_NE(with.namespaces & CLONE_NEWNET, 0U);
    EXPECT_EQ(without.namespaces & CLONE_NEWNET, 0U);
}

TEST_F(Plan, TheConsoleDependsOnTheTerminal) {
    config_.root.directory = "os";
    EXPECT_EQ(plan().console, ConsoleMode::read_only);
    facts_.on_terminal = true;
    EXPECT_EQ(plan().console, ConsoleMode::interactive);
    config_.console = ConsoleMode::autopipe;
    EXPECT_EQ(plan().console, ConsoleMode::interactive);
    facts_.on_terminal = false;
    EXPECT_EQ(plan().console, ConsoleMode::pipe);
}

TEST_F(Plan, UserEnvironmentWins) {
    config_.root.directory = "os";
    config_.exec.environment = {{"TERM", "mine"}, {"X", "1"}};
    const LaunchPlan made = plan();
    EXPECT_EQ(
        std::ranges::count(made.environment, std::string("TERM"), [](const auto &e) { return e.first; }), 1);
    EXPECT_THAT(made.environment, testing::Contains(testing::Pair("TERM", "mine")));
    EXPECT_THAT(made.environment, testing::Contains(testing::Pair("X", "1")));
    EXPECT_THAT(made.environment, testing::Contains(testing::Pair("container", "berth")));
}

TEST_F(Plan, UsersOfTheHostNeedUsersOfTheMachines) {
    config_.root.directory = "os";
    config_.users.bind_users = {{.name = "anna", .origin = {"m.toml:1:1: bind_user"}},
                                {.name = "berta", .origin = {}},
                                {.name = "anna", .origin = {}}};
    EXPECT_THAT(error(), HasSubstr("m.toml:1:1: bind_user: a user of the host needs a user namespace"));
    config_.users.mode = UsersConfig::Mode::pick;
    EXPECT_EQ(nlohmann::json::parse(plan_json(plan())).at("users").at("bound"),
              (nlohmann::json{"anna", "berta"})); // each once
    config_.users.bind_user_shell = "";
    EXPECT_EQ(plan().users.bound_shell, "");
    config_.users.bind_users.clear();
    EXPECT_THAT(error(), HasSubstr("there is no user to have this shell"));
}

TEST_F(Plan, ColoursAreForTerminalsThatWantThem) {
    config_.root.directory = "os";
    config_.background = "44";
    facts_.terminal_type = "xterm";
    EXPECT_EQ(plan().background, "44");
    facts_.no_colour = true;
    EXPECT_EQ(plan().background, "");
    facts_.no_colour = false;
    for (const char *type : {"dumb", ""}) {
        facts_.terminal_type = type;
        EXPECT_EQ(plan().background, "") << type;
    }
}

TEST_F(Plan, PrintsAsTextAndAsJson) {
    config_.root.directory = "os";
    config_.root.ephemeral = true;
    config_.name = "m";
    const LaunchPlan made = plan();
    EXPECT_THAT(plan_text(made), HasSubstr("root.layers: " + at("os") + "\n"));
    const auto json = nlohmann::json::parse(plan_json(made));
    EXPECT_EQ(json.at("name"), "m");
    EXPECT_EQ(json.at("root").at("type"), "overlay");
    EXPECT_EQ(json.at("unit").at("scope"), "machine-m.scope");
}
