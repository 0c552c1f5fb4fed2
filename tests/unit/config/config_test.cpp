// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <set>

#include "config/load.hpp"
#include "config/mount_syntax.hpp"
#include "config/nspawn_reader.hpp"
#include "config/toml_reader.hpp"
#include "expect_error.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using berth::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

namespace {

MachineConfig from_toml(std::string_view text) {
    MachineConfig config;
    apply(config, read_toml(text, "a.toml"));
    return config;
}

std::string toml_error(std::string_view text) {
    return error_of([&] { (void)from_toml(text); });
}

Assignment option(std::string_view section, std::string_view key, std::string value) {
    return {.setting = find_setting(section, key),
            .value = std::move(value),
            .origin = {"--" + std::string(key)}};
}

} // namespace

TEST(Settings, NamesAreUnique) {
    std::set<std::string> names;
    std::set<std::string> options;
    std::set<char> letters;
    for (const Setting *entry : settings()) {
        const Setting &setting = *entry;
        EXPECT_TRUE(names.insert(setting_name(setting)).second) << setting_name(setting);
        if (!setting.option.empty()) {
            EXPECT_TRUE(options.emplace(setting.option).second) << setting.option;
        }
        if (setting.letter != 0) {
            EXPECT_TRUE(letters.insert(setting.letter).second) << setting.letter;
        }
        EXPECT_FALSE(setting.help.empty()) << setting_name(setting);
    }
}

TEST(Toml, FillsTheConfig) {
    const MachineConfig config = from_toml(R"(
[root]
layers = ["/a", "/b"]
upper = "persistent"
[exec]
boot = true
environment = { A = "1", B = "x y" }
kill_signal = "SIGTERM"
machine_id = "0123456789abcdef0123456789abcdef"
[files]
bind = ["/src:/dst", "/x"]
bind_read_only = "/etc/hosts"
[network]
private = true
)");
    EXPECT_THAT(config.root.layers, ElementsAre("/a", "/b"));
    ASSERT_TRUE(config.root.upper);
    EXPECT_EQ(config.root.upper->kind, Upper::Kind::persistent);
    EXPECT_TRUE(config.exec.boot);
    EXPECT_THAT(config.exec.environment, ElementsAre(Pair("A", "1"), Pair("B", "x y")));
    EXPECT_EQ(config.exec.kill_signal, SIGTERM);
    ASSERT_EQ(config.mounts.size(), 3U);
    EXPECT_EQ(config.mounts[0].destination, "/dst");
    EXPECT_EQ(config.mounts[1].destination, "/x");
    EXPECT_TRUE(config.mounts[2].read_only);
    EXPECT_TRUE(config.network.private_network);
    EXPECT_EQ(config.origins.at("exec.boot").text, "a.toml:6:8: boot");
}

TEST(Toml, UnknownKeysNameTheNearest) {
    EXPECT_THAT(toml_error("[exec]\nbot = true\n"),
                HasSubstr("a.toml:2:1: unknown setting \"bot\" in [exec]; did you mean \"boot\"?"));
    EXPECT_THAT(toml_error("[exce]\n"),
                HasSubstr("a.toml:1:2: unknown section [exce]; did you mean \"exec\"?"));
    EXPECT_THAT(toml_error("boot = true\n"), HasSubstr("a.toml:1:1: unknown section [boot]"));
    EXPECT_THAT(toml_error("exec = 1\n"), HasSubstr("write [exec]"));
}

TEST(Toml, WrongTypesAreErrors) {
    EXPECT_THAT(toml_error("[exec]\nboot = \"yes\"\n"),
                HasSubstr("a.toml:2:8: \"boot\" in [exec] takes true or false, not a string"));
    EXPECT_THAT(
        toml_error("[files]\nbind = [\"/a\", 3]\n"),
        HasSubstr("a.toml:2:15: \"bind\" in [files] takes a string, or an array of strings, not an integer"));
    EXPECT_THAT(toml_error("[exec]\nuser = [\"a\"]\n"), HasSubstr("takes a string, not an array"));
}

TEST(Toml, WrongValuesNameThePlace) {
    EXPECT_THAT(toml_error("[files]\nbind = [\n  \"/ok\",\n  \"relative\",\n]\n"),
                HasSubstr("a.toml:4:3: bind: \"relative\" is not an absolute path"));
    EXPECT_THAT(toml_error("[root]\nupper = \"somewhere\"\n"),
                HasSubstr("a.toml:2:9: upper: \"somewhere\" is neither"));
    EXPECT_THAT(toml_error("[exec]\nhostname = \"a b\"\n"), HasSubstr("a.toml:2:12: hostname:"));
}

TEST(Toml, BrokenFilesNameThePlace) {
    EXPECT_THAT(toml_error("[exec\nboot = true\n"), HasSubstr("a.toml:1:6"));
    EXPECT_THAT(toml_error("[exec]\nboot = \n"), HasSubstr("a.toml:2:8"));
    EXPECT_THAT(toml_error("[exec]\nuser = \"a\\u0000b\"\n"), HasSubstr("NUL"));
}

TEST(Load, TheCommandLineReplacesLists) {
    const test::TemporaryDirectory directory;
    const ConfigFile file{
        .path = directory.write("m.toml", "[files]\nbind = [\"/a\", \"/b\"]\n[exec]\nboot = true\n"),
        .trusted = true};
    const auto none = [](const std::string &) { ADD_FAILURE(); };
    const MachineConfig config = load_config({option("files", "bind", "/c")}, file, UseFiles::yes, none);
    ASSERT_EQ(config.mounts.size(), 1U);
    EXPECT_EQ(config.mounts[0].sources.at(0).path, "/c");
    EXPECT_TRUE(config.exec.boot);

    EXPECT_EQ(load_config({option("files", "bind", "/c")}, file, UseFiles::override, none).mounts.size(), 2U);
    EXPECT_EQ(load_config({}, file, UseFiles::no, none).mounts.size(), 0U);
}

TEST(Load, AFileThatOverridesMayTurnBootingOff) {
    const test::TemporaryDirectory directory;
    const ConfigFile file{.path = directory.write("m.toml", "[exec]\nprocess_two = true\n"), .trusted = true};
    const MachineConfig config =
        load_config({option("exec", "boot", "yes")}, file, UseFiles::override, [](const std::string &) {});
    EXPECT_TRUE(config.exec.process_two);
    EXPECT_FALSE(config.exec.boot);
}

TEST(Load, WhatGoesTogetherIsReplacedTogether) {
    const test::TemporaryDirectory directory;
    const ConfigFile file{
        .path = directory.write("m.toml", "[exec]\nboot = true\nparameters = [\"of-file\"]\ncapability = "
                                          "\"CAP_SYSLOG\"\n[files]\ninaccessible = \"/a\"\n"
                                          "[network]\nmacvlan = \"eth0\"\nport = \"tcp:80\"\n"),
        .trusted = true};
    const auto none = [](const std::string &) { ADD_FAILURE(); };
    const std::vector<Assignment> given{
        option("exec", "parameters", "/bin/ls"),        option("files", "temporary_file_system", "/t"),
        option("network", "virtual_ethernet", "yes"),   option("exec", "process_two", "yes"),
        option("exec", "drop_capability", "CAP_CHOWN"),
    };
    const MachineConfig config = load_config(given, file, UseFiles::yes, none);
    EXPECT_FALSE(config.exec.boot) << "a command is no argument to an init";
    EXPECT_THAT(config.exec.command, ElementsAre("/bin/ls"));
    EXPECT_TRUE(config.exec.capability.empty());
    ASSERT_EQ(config.mounts.size(), 1U);
    EXPECT_EQ(config.mounts[0].destination, "/t");
    EXPECT_TRUE(config.network.macvlan.empty());
    EXPECT_EQ(config.network.ports.size(), 1U) << "ports are of any network";

    const MachineConfig overridden = load_config(given, file, UseFiles::override, none);
    EXPECT_TRUE(overridden.exec.boot);
    EXPECT_FALSE(overridden.exec.process_two);
    EXPECT_THAT(overridden.exec.command, ElementsAre("of-file"));
    EXPECT_THAT(overridden.exec.drop_capability, ElementsAre("CAP_CHOWN")) << "what is dropped stays so";
    EXPECT_THAT(overridden.exec.capability, ElementsAre("CAP_SYSLOG"));
    ASSERT_EQ(overridden.mounts.size(), 1U);
    EXPECT_EQ(overridden.mounts[0].destination, "/a");
    EXPECT_FALSE(overridden.network.veth);
}

TEST(Load, ParametersOfAFileGoToTheInitOfTheCommandLine) {
    const test::TemporaryDirectory directory;
    const ConfigFile file{.path = directory.write("m.toml", "[exec]\nparameters = [\"quiet\"]\n"),
                          .trusted = true};
    const MachineConfig config =
        load_config({option("exec", "boot", "yes")}, file, UseFiles::override, [](const std::string &) {});
    EXPECT_TRUE(config.exec.boot);
    EXPECT_THAT(config.exec.command, ElementsAre("quiet"));
}

TEST(Load, AnUntrustedFileThatOverridesGivesNothingBack) {
    const test::TemporaryDirectory directory;
    const ConfigFile file{.path = directory.write("m.toml", "[exec]\nephemeral = false\ndrop_capability = "
                                                            "\"CAP_CHOWN\"\nsystem_call_filter = "
                                                            "\"~@clock\"\n[network]\nprivate = false\n"),
                          .trusted = false};
    std::vector<std::string> warnings;
    const MachineConfig config = load_config(
        {option("exec", "ephemeral", "yes"), option("network", "private", "yes"),
         option("exec", "drop_capability", "CAP_KILL"), option("exec", "system_call_filter", "~@mount")},
        file, UseFiles::override, [&](const std::string &text) { warnings.push_back(text); });
    EXPECT_TRUE(config.root.ephemeral);
    EXPECT_TRUE(config.network.private_network);
    EXPECT_THAT(config.exec.drop_capability, ElementsAre("CAP_KILL", "CAP_CHOWN"));
    EXPECT_THAT(config.exec.system_call_filter, ElementsAre("~@mount", "~@clock"));
    EXPECT_THAT(warnings, ElementsAre(HasSubstr("ephemeral is ignored"), HasSubstr("private is ignored")));
}

TEST(Load, FilesBesideImagesAreNotTrusted) {
    const test::TemporaryDirectory directory;
    const ConfigFile file{.path =
                              directory.write("m.toml", "[files]\nbind = \"/etc\"\n[exec]\nboot = true\n"),
                          .trusted = false};
    std::vector<std::string> warnings;
    const auto warn = [&](const std::string &text) { warnings.push_back(text); };
    const MachineConfig config = load_config({}, file, UseFiles::yes, warn);
    EXPECT_TRUE(config.mounts.empty());
    EXPECT_TRUE(config.exec.boot);
    EXPECT_THAT(warnings, ElementsAre(HasSubstr("m.toml:2:8: bind is ignored")));
    EXPECT_EQ(load_config({}, file, UseFiles::trusted, warn).mounts.size(), 1U);
}

TEST(MountSyntax, EscapesAndOptions) {
    EXPECT_THAT(split_mount("/a\\:b:/c\\\\d"), ElementsAre("/a:b", "/c\\d"));
    EXPECT_EQ(with_absolute_sources("a:/d:norbind", false, "/h:e"), "/h\\:e/a:/d:norbind");
    EXPECT_EQ(with_absolute_sources("-a\\:b", false, "/here"), "-/here/a\\:b");
    EXPECT_EQ(with_absolute_sources("+a:/d", false, "/here"), "+a:/d") << "it is not seen from here";
    EXPECT_EQ(with_absolute_sources(":/d", false, "/here"), ":/d");
    EXPECT_EQ(with_absolute_sources("/a:b::/d", true, "/here"), "/a:/here/b::/d");
    EXPECT_EQ(with_absolute_sources("a:/d", true, "/here"), "/here/a:/d");
    const MountConfig bind = parse_bind("-/s:/d:norbind", true, {});
    EXPECT_TRUE(bind.optional);
    EXPECT_FALSE(bind.recursive);
    EXPECT_TRUE(bind.read_only);
    EXPECT_EQ(bind.destination, "/d");
    for (const char *bad : {"", "a", "/a:b", "/a:/b:what", "/a:/b:/c:/d", "+a", "/a:/..", ":"})
        error_of([&] { (void)parse_bind(bad, false, {}); });
}
