// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/record.hpp"

#include "base/env_file.hpp"
#include "expect_error.hpp"

using namespace berth;
using berth::test::error_of;
using testing::HasSubstr;
using testing::Not;

namespace {

Record example() {
    return {.name = "web-1",
            .unit = "machine-web\\x2d1.scope",
            .own_unit = true,
            .service = "berth",
            .root = "/srv/a \"quoted\"\nroot",
            .id = "0123456789abcdef0123456789abcdef",
            .leader = 4711,
            .leader_id = 5000000000,
            .kind = "container",
            .realtime = 1700000000000000,
            .monotonic = 99};
}

std::string with(const std::string &line) {
    return "NAME=a\nSCOPE=a.scope\nLEADER=2\nCLASS=vm\nOWN_UNIT=0\n" + line + "\n";
}

} // namespace

TEST(Record, ComesBackAsItWas) {
    const Record record = parse_record(private_text(example()), "file");
    EXPECT_EQ(record.name, example().name);
    EXPECT_EQ(record.unit, example().unit);
    EXPECT_TRUE(record.own_unit);
    EXPECT_EQ(record.service, example().service);
    EXPECT_EQ(record.root, example().root);
    EXPECT_EQ(record.id, example().id);
    EXPECT_EQ(record.leader, example().leader);
    EXPECT_EQ(record.leader_id, example().leader_id);
    EXPECT_EQ(record.kind, example().kind);
    EXPECT_EQ(record.realtime, example().realtime);
    EXPECT_EQ(record.monotonic, example().monotonic);
}

TEST(Record, ComesBackWithoutWhatItNeedNotHave) {
    Record record = example();
    record.own_unit = false;
    record.service.clear();
    record.root.clear();
    record.id.clear();
    record.leader_id = 0;
    EXPECT_THAT(public_text(record), Not(HasSubstr("PIDFDID")));
    EXPECT_THAT(public_text(record), Not(HasSubstr("ID=")));
    record = parse_record(private_text(record), "file");
    EXPECT_FALSE(record.own_unit);
    EXPECT_EQ(record.id, "");
}

// As systemd-machined 257 writes a machine of this name, read by shell rules.
TEST(Record, IsReadByOthersWithOneLevelOfEscapes) {
    EXPECT_THAT(public_text(example()), HasSubstr("\nSCOPE=machine-web\\\\x2d1.scope\n"));
    const auto fields = parse_env_file(public_text(example()));
    EXPECT_EQ(fields.at("SCOPE"), example().unit);
    EXPECT_EQ(fields.at("LEADER"), "4711");
    EXPECT_EQ(fields.at("LEADER_PIDFDID"), "5000000000");
    EXPECT_FALSE(fields.contains("OWN_UNIT"));
}

TEST(Record, KeysOfLaterVersionsArePassedOver) {
    EXPECT_EQ(parse_record(with("COLOUR=blue"), "file").name, "a");
}

TEST(Record, ErrorsNameFileAndLine) {
    const auto error = [](const std::string &line) {
        return error_of([&] { (void)parse_record(with(line), "f"); });
    };
    EXPECT_THAT(error("what is this"), HasSubstr("f:6: \"what is this\" is not KEY=value"));
    EXPECT_THAT(error("LEADER=x"), HasSubstr("f:6: LEADER: \"x\" is not a number"));
    EXPECT_THAT(error("LEADER=1"), HasSubstr("f:6: LEADER: \"1\" is not the pid"));
    EXPECT_THAT(error("LEADER=99999999999"), HasSubstr("f:6: LEADER"));
    EXPECT_THAT(error("NAME=../x"), HasSubstr("f:6: NAME"));
    EXPECT_THAT(error("ID=12"), HasSubstr("f:6: ID"));
    EXPECT_THAT(error("CLASS=zone"), HasSubstr("f:6: CLASS"));
    EXPECT_THAT(error("ROOT=\\q"), HasSubstr("f:6: ROOT"));
}

TEST(Record, AnUnfinishedFileIsAnError) {
    EXPECT_THAT(error_of([] { (void)parse_record("", "f"); }), HasSubstr("f:1: the file ends without NAME"));
    EXPECT_THAT(error_of([] { (void)parse_record("NAME=a\nSCOPE=s\n", "f"); }),
                HasSubstr("ends without LEADER"));
}
