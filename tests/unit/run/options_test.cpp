// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "run/options.hpp"

using namespace berth;
using berth::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

RunOptions parse(std::vector<std::string> words) {
    words.insert(words.begin(), "berth run");
    std::vector<char *> argv;
    for (std::string &word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    return parse_run_options(static_cast<int>(words.size()), argv.data());
}

MachineConfig config_of(const std::vector<std::string> &words) {
    MachineConfig config;
    apply(config, parse(words).assignments);
    return config;
}

} // namespace

TEST(RunOptions, TakesThePeersSpelling) {
    const MachineConfig config =
        config_of({"-bxD", "/tree", "-M", "m", "-E", "A=1", "--setenv=B=2", "-P", "-q", "--register=no",
                   "--keep-unit", "--uuid=0123456789abcdef0123456789abcdef"});
    EXPECT_TRUE(config.exec.boot);
    EXPECT_TRUE(config.root.ephemeral);
    EXPECT_EQ(config.root.directory, "/tree");
    EXPECT_EQ(config.name, "m");
    EXPECT_EQ(config.exec.environment.size(), 2U);
    EXPECT_EQ(config.console, ConsoleMode::pipe);
    EXPECT_FALSE(config.unit.register_machine);
    EXPECT_TRUE(config.unit.keep_unit);
}

TEST(RunOptions, TheCommandKeepsItsOwnOptions) {
    EXPECT_THAT(config_of({"-q", "ls", "-b", "--boot"}).exec.command, ElementsAre("ls", "-b", "--boot"));
    EXPECT_THAT(config_of({"--", "-x"}).exec.command, ElementsAre("-x"));
}

TEST(RunOptions, OptionalArgumentsNeedTheEqualSign) {
    EXPECT_EQ(config_of({"--volatile"}).root.volatile_mode, Volatile::yes);
    EXPECT_EQ(config_of({"--volatile=overlay"}).root.volatile_mode, Volatile::overlay);
    EXPECT_EQ(parse({"--dry-run=json"}).action, RunOptions::Action::dry_run_json);
}

TEST(RunOptions, AbbreviationsAsGetoptHasThem) {
    EXPECT_EQ(config_of({"--dir=/x"}).root.directory, "/x");
}

TEST(RunOptions, SomeStandForOthers) {
    const MachineConfig config = config_of({"-Uj"});
    EXPECT_EQ(config.users.mode, UsersConfig::Mode::pick);
    EXPECT_EQ(config.users.ownership, UsersConfig::Ownership::automatic);
    EXPECT_EQ(config.exec.link_journal.mode, LinkJournal::Mode::guest);
    EXPECT_TRUE(config.exec.link_journal.tolerant);
    EXPECT_EQ(config_of({"--private-users-chown"}).users.ownership, UsersConfig::Ownership::chown);
}

TEST(RunOptions, MistakesAreNamed) {
    EXPECT_THAT(error_of([] { parse({"--direktory=/x"}); }), HasSubstr("did you mean --directory?"));
    EXPECT_THAT(error_of([] { parse({"-Y"}); }), HasSubstr("unknown option -Y"));
    EXPECT_THAT(error_of([] { parse({"-M"}); }), HasSubstr("option -M needs an argument"));
    EXPECT_THAT(error_of([] { config_of({"--register=maybe"}); }),
                HasSubstr("--register=maybe: \"maybe\" is neither yes nor no"));
    EXPECT_THAT(error_of([] { config_of({"-M", "a b"}); }), HasSubstr("not a machine name"));
    EXPECT_THAT(error_of([] { parse({"--settings=some"}); }), HasSubstr("--settings=some"));
}

TEST(RunOptions, HelpNamesEveryOption) {
    const std::string help = run_help();
    for (const Setting *setting : settings())
        if (!setting->option.empty()) {
            EXPECT_THAT(help, HasSubstr("--" + std::string(setting->option)));
        }
}
