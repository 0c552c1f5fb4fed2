// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of systemd.nspawn(5).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "config/load.hpp"
#include "config/nspawn_reader.hpp"
#include "expect_error.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using berth::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

namespace {

MachineConfig from_nspawn(std::string_view text) {
    MachineConfig config;
    apply(config, read_nspawn(text, "a.nspawn"));
    return config;
}

std::string nspawn_error(std::string_view text) {
    return error_of([&] { (void)from_nspawn(text); });
}

} // namespace

TEST(Nspawn, FillsTheConfig) {
    const MachineConfig config = from_nspawn(R"(
# a comment
[Exec]
Boot=no
Parameters=/bin/echo "two words" 'it'\'s three
Environment=A=1
Environment="B=x y" C=3
Capability=CAP_NET_ADMIN CAP_SYS_TIME
LimitNOFILE=1024:2048
PrivateUsers=pick
X-Other=whatever

[Files]
Bind=/src:/dst
BindReadOnly=/etc/hosts
TemporaryFileSystem=/tmp2:size=1m

[Network]
Interface=eth1 eth2:lan0
Port=tcp:8080:80
Port=udp:53
[X-More]
Anything=goes
)");
    EXPECT_FALSE(config.exec.boot);
    EXPECT_THAT(config.exec.command, ElementsAre("/bin/echo", "two words", "it's", "three"));
    EXPECT_THAT(config.exec.environment, ElementsAre(Pair("A", "1"), Pair("B", "x y"), Pair("C", "3")));
    EXPECT_THAT(config.exec.capability, ElementsAre("CAP_NET_ADMIN", "CAP_SYS_TIME"));
    ASSERT_EQ(config.exec.limits.size(), 1U);
    EXPECT_EQ(config.exec.limits[0].hard, 2048U);
    EXPECT_EQ(config.users.mode, UsersConfig::Mode::pick);
    ASSERT_EQ(config.mounts.size(), 3U);
    EXPECT_EQ(config.mounts[0].destination, "/dst");
    EXPECT_TRUE(config.mounts[1].read_only);
    EXPECT_EQ(config.mounts[2].options, "size=1m");
    ASSERT_EQ(config.network.interfaces.size(), 2U);
    EXPECT_EQ(config.network.interfaces[1].inside, "lan0");
    ASSERT_EQ(config.network.ports.size(), 2U);
    EXPECT_EQ(config.network.ports[0].machine, 80);
    EXPECT_EQ(config.network.ports[1].protocol, "udp");
    EXPECT_EQ(config.origins.at("files.bind").text, "a.nspawn:14: Bind=");
}

TEST(Nspawn, LinesContinueAndEmptyValuesTakeBack) {
    const MachineConfig config = from_nspawn("[Exec]\n"
                                             "Parameters=a \\\n"
                                             "# in between\n"
                                             "  b\n"
                                             "Environment=A=1\n"
                                             "Environment=\n"
                                             "Environment=B=2\n");
    EXPECT_THAT(config.exec.command, ElementsAre("a", "b"));
    EXPECT_THAT(config.exec.environment, ElementsAre(Pair("B", "2")));
}

TEST(Nspawn, MistakesNameFileAndLine) {
    EXPECT_THAT(nspawn_error("[Exec]\nBot=yes\n"),
                HasSubstr("a.nspawn:2: unknown setting Bot= in [Exec]; did you mean Boot=?"));
    EXPECT_THAT(nspawn_error("[Exce]\n"), HasSubstr("a.nspawn:1: unknown section [Exce]"));
    EXPECT_THAT(nspawn_error("Boot=yes\n"), HasSubstr("a.nspawn:1: Boot= stands before any section"));
    EXPECT_THAT(nspawn_error("[Exec]\nBoot\n"), HasSubstr("a.nspawn:2: \"Boot\" is neither"));
    EXPECT_THAT(nspawn_error("[Exec]\nBoot=maybe\n"), HasSubstr("a.nspawn:2: Boot=: \"maybe\" is neither"));
    EXPECT_THAT(nspawn_error("[Exec]\nParameters=\"a\n"), HasSubstr("a.nspawn:2: Parameters=: a quote"));
    EXPECT_THAT(nspawn_error("[Exec\n"), HasSubstr("a.nspawn:1: the section has no closing bracket"));
    EXPECT_THAT(nspawn_error("[Files]\nBoot=yes\n"), HasSubstr("unknown setting Boot= in [Files]"));
}

TEST(Nspawn, KnowsEverySetting) {
    // systemd.nspawn(5) of systemd 257
    // clang-format off: one a line says no more
    const std::set<std::string> all{
        "Boot", "Ephemeral", "ProcessTwo", "Parameters", "Environment", "User", "WorkingDirectory", "PivotRoot",
        "Capability", "DropCapability", "AmbientCapability", "NoNewPrivileges", "KillSignal", "Personality",
        "MachineID", "PrivateUsers", "NotifyReady", "SystemCallFilter", "LimitCPU", "LimitFSIZE", "LimitDATA",
        "LimitSTACK", "LimitCORE", "LimitRSS", "LimitNOFILE", "LimitAS", "LimitNPROC", "LimitMEMLOCK",
        "LimitLOCKS", "LimitSIGPENDING", "LimitMSGQUEUE", "LimitNICE", "LimitRTPRIO", "LimitRTTIME",
        "OOMScoreAdjust", "CPUAffinity", "Hostname", "ResolvConf", "Timezone", "LinkJournal", "SuppressSync",
        "ReadOnly", "Volatile", "Bind", "BindReadOnly", "BindUser", "TemporaryFileSystem", "Inaccessible",
        "Overlay", "OverlayReadOnly", "PrivateUsersOwnership", "Private", "VirtualEthernet",
        "VirtualEthernetExtra", "Interface", "MACVLAN", "IPVLAN", "Bridge", "Zone", "Port"};
    // clang-format on
    std::set<std::string> known;
    for (const Setting *setting : settings())
        if (!setting->nspawn.empty())
            known.emplace(setting->nspawn_key());
    EXPECT_EQ(known, all);
    EXPECT_EQ(all.size(), 60U);
}

TEST(Nspawn, OnlyWhatTakesAwayIsTakenFromBesideAnImage) {
    const test::TemporaryDirectory directory;
    const ConfigFile file{.path = directory.write("m.nspawn", "[Exec]\nSystemCallFilter=@mount\n"
                                                              "SystemCallFilter=~ptrace\nMachineID="
                                                              "0123456789abcdef0123456789abcdef\n"),
                          .format = ConfigFile::Format::nspawn,
                          .trusted = false};
    std::vector<std::string> warnings;
    const MachineConfig config =
        load_config({}, file, UseFiles::yes, [&](const std::string &text) { warnings.push_back(text); });
    EXPECT_THAT(config.exec.system_call_filter, ElementsAre("~ptrace"));
    EXPECT_THAT(config.exec.machine_id, "");
    EXPECT_THAT(warnings, ElementsAre(HasSubstr("m.nspawn:2: SystemCallFilter= is ignored"),
                                      HasSubstr("MachineID= is ignored")));
}
