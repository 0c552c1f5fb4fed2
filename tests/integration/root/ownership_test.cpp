// SPDX-License-Identifier: LGPL-2.1-or-later
// --private-users-ownership=chown, and what it falls back to: trees that are given to a range.
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "base/format.hpp"
#include "support/options.hpp"
#include "support/snapshot.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

/// A writable tree on a filesystem that cannot map users: an overlay.
class UnmappableTree {
public:
    explicit UnmappableTree(const Folder &folder, const fs::path &lower)
        : mounted_("overlay", made(folder, "merged"),
                   berth::format("lowerdir={},upperdir={},workdir={}", lower.native(),
                                 made(folder, "upper").native(), made(folder, "work").native())) {}
    [[nodiscard]] fs::path operator/(const char *name) const { return mounted_.path() / name; }
    [[nodiscard]] const fs::path &path() const { return mounted_.path(); }

    [[nodiscard]] Outcome run(const Words &options, const std::string &line) const {
        Words words{"berth", "run", "--quiet", "--pipe", "--machine=options", "-D", path()};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"sh", "-ec", line});
        return berth::test::run(words);
    }

private:
    static fs::path made(const Folder &folder, const char *name) {
        fs::create_directories(folder / name);
        return folder / name;
    }
    Mounted mounted_;
};

class Ownership : public OptionTest {};

std::string numbers_of(const fs::path &path) {
    return succeed({"getfacl", "--absolute-names", "-n", "--omit-header", path});
}

} // namespace

TEST_F(Ownership, TreeThatCannotBeMappedIsGivenToTheRange) {
    const UnmappableTree merged(dir, tree.path());
    const Outcome outcome = merged.run({"--private-users=655360"}, "stat -c %u:%g / /etc/passwd");
    EXPECT_EQ(outcome.out, "0:0\n0:0\n") << outcome.err;
    EXPECT_EQ(owner_of(merged.path()), "655360:655360 755");
    EXPECT_EQ(owner_of(merged / "etc/passwd"), "655360:655360 644");
    EXPECT_EQ(owner_of(merged / "linuxrc").substr(0, 13), "655360:655360") << "a link";
    const Outcome again = merged.run({"--private-users=yes"}, "cat /proc/self/uid_map; stat -c %u /");
    EXPECT_THAT(again.out, AllOf(HasSubstr(" 655360 "), HasSubstr("\n0\n")));
}

TEST_F(Ownership, MappingWhatCannotBeMappedIsRefused) {
    const UnmappableTree merged(dir, tree.path());
    const Outcome outcome = merged.run({"--private-users=655360", "--private-users-ownership=map"}, "true");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr(merged.path().native()), HasSubstr("--private-users-ownership=chown")));
    EXPECT_EQ(owner_of(merged.path()), "0:0 755");
    const Outcome layer = merged.run({"--private-users=655360", "-x"}, "true");
    EXPECT_EQ(layer.status, 1);
    EXPECT_THAT(layer.err, HasSubstr("its filesystem cannot map users"));
}

TEST_F(Ownership, TreesThatAreOnlyReadKeepTheirs) {
    const Snapshot before = snapshot(tree.path());
    for (const char *option : {"--read-only", "--volatile=yes", "--volatile=state"}) {
        const Outcome outcome =
            try_inside({"--private-users=655360", "--private-users-ownership=chown", option}, "true");
        EXPECT_EQ(outcome.status, 1) << option;
        EXPECT_THAT(outcome.err, HasSubstr("--private-users-ownership=chown: a tree that is only read"));
    }
    EXPECT_THAT(differences(before, snapshot(tree.path())), testing::IsEmpty());
    const UnmappableTree merged(dir, tree.path());
    const Outcome outcome = merged.run({"--private-users=655360", "--read-only"}, "true");
    EXPECT_EQ(outcome.status, 1) << "automatic ownership does not give it away either";
    EXPECT_THAT(outcome.err, HasSubstr("is only read"));
    EXPECT_EQ(owner_of(merged.path()), "0:0 755");
}

TEST_F(Ownership, ForcedWhereMappingWouldDo) {
    EXPECT_EQ(inside({"--private-users=655360", "--private-users-ownership=chown"}, "stat -c %u /etc/passwd"),
              "0");
    EXPECT_EQ(owner_of(tree / "etc/passwd"), "655360:655360 644");
}

TEST_F(Ownership, AclsModesAndCapabilitiesAreKept) {
    tree.write("etc/listed", "");
    tree.write("etc/capable", "");
    tree.write("etc/set-id", "");
    fs::create_hard_link(tree / "etc/set-id", tree / "etc/linked");
    succeed({"chown", "7:8", tree / "etc/set-id"});
    succeed({"chmod", "6755", tree / "etc/set-id"});
    succeed({"chmod", "1777", tree / "root"});
    succeed({"setfacl", "-m", "u:1:r,g:2:w", tree / "etc/listed"});
    succeed({"setfacl", "-d", "-m", "g:2:rw", tree / "etc"});
    succeed({"setcap", "cap_net_raw=ep", tree / "etc/capable"});
    const auto given_to = [&](std::uint32_t base) {
        inside({berth::format("--private-users={}", base), "--private-users-ownership=chown"}, "true");
        EXPECT_EQ(owner_of(tree / "etc/set-id"), berth::format("{}:{} 6755", base + 7, base + 8));
        EXPECT_EQ(fs::hard_link_count(tree / "etc/linked"), 2U);
        EXPECT_EQ(owner_of(tree / "root"), berth::format("{0}:{0} 1777", base));
        EXPECT_THAT(numbers_of(tree / "etc/listed"),
                    AllOf(HasSubstr(berth::format("user:{}:r--", base + 1)),
                          HasSubstr(berth::format("group:{}:-w-", base + 2))));
        EXPECT_THAT(numbers_of(tree / "etc"), HasSubstr(berth::format("default:group:{}:rw-", base + 2)));
        EXPECT_THAT(
            succeed({"getcap", "-n", tree / "etc/capable"}),
            HasSubstr(base == 0 ? "cap_net_raw=ep" : berth::format("cap_net_raw=ep [rootid={}]", base)));
    };
    given_to(655360);
    given_to(131072);
    given_to(0);
}

TEST_F(Ownership, KilledHalfWayItIsDoneAtTheNextStart) {
    constexpr int files = 20000;
    constexpr int folders = 20;
    for (int i = 0; i < files; ++i)
        tree.write(berth::format("many/{}/{}", i % folders, i), "");
    const UnmappableTree merged(dir, tree.path());
    const auto given = [&] {
        int count = 0;
        for (int i = 0; i < files; i += 101)
            count +=
                owner_of(merged.path() / berth::format("many/{}/{}", i % folders, i)).starts_with("655360:")
                    ? 1
                    : 0;
        return count;
    };
    const Words words{
        "berth", "run", "-q", "-P", "-M", "options", "-D", merged.path(), "--private-users=655360", "true"};
    {
        Process first(words);
        ASSERT_TRUE(eventually([&] { return given() > 0; }));
        first.send_signal(SIGKILL);
        first.wait();
    }
    ASSERT_EQ(owner_of(merged.path()), "0:0 755") << "it was done before it could be killed";
    EXPECT_LT(given(), files / 101 + 1);
    EXPECT_EQ(run(words).status, 0);
    EXPECT_EQ(owner_of(merged.path()), "655360:655360 755");
    EXPECT_EQ(given(), files / 101 + 1);
    EXPECT_EQ(succeed({"find", merged.path(), "!", "-uid", "655360"}), "");
}

TEST_F(Ownership, ProgressIsShownOnATerminal) {
    for (int i = 0; i < 2000; ++i)
        tree.write(berth::format("many/{}", i), "");
    const auto shown = [&](std::uint32_t base, const Words &options, Process::Stdio stdio) {
        Words words{"berth",
                    "run",
                    "-M",
                    "options",
                    "-D",
                    tree.path(),
                    berth::format("--private-users={}", base),
                    "--private-users-ownership=chown"};
        words.insert(words.end(), options.begin(), options.end());
        words.emplace_back("true");
        Process process(words, stdio);
        EXPECT_EQ(process.wait(), 0);
        EXPECT_EQ(owner_of(tree / "many/1999"), berth::format("{0}:{0} 644", base));
        return process.out() + process.err();
    };
    const std::string progress = "\r1000 files\r2000 files";
    const std::string told = "Giving the files in " + tree.path().native() + " to users ";
    EXPECT_THAT(shown(655360, {}, Process::Stdio::terminal),
                AllOf(HasSubstr(told + "655360 and up."), HasSubstr(progress)));
    EXPECT_THAT(shown(131072, {}, Process::Stdio::pipes),
                AllOf(HasSubstr(told + "131072 and up."), Not(HasSubstr(" files\r"))));
    EXPECT_THAT(shown(655360, {"--quiet"}, Process::Stdio::terminal),
                AllOf(Not(HasSubstr(told)), Not(HasSubstr(" files"))));
}

TEST_F(Ownership, RangesThatAreNoMultipleCannotBeGivenFiles) {
    const Outcome outcome = try_inside({"--private-users=655361", "--private-users-ownership=chown"}, "true");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("begin at a multiple of 65536"));
    EXPECT_EQ(owner_of(tree.path()), "0:0 755");
}
