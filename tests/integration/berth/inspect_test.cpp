// SPDX-License-Identifier: LGPL-2.1-or-later
// What berth inspect tells, compared with what the kernel and others tell of the same machine.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "base/format.hpp"
#include "base/parse.hpp"
#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

namespace {

json inspect(const std::string &machine, const std::string &topic, const Words &options = {}) {
    Words words{"inspect", machine, topic, "-o", "json"};
    words.insert(words.end(), options.begin(), options.end());
    return json::parse(berth_succeeds(words)).at(topic);
}

const json &of_kind(const json &namespaces, std::string_view kind) {
    for (const json &row : namespaces)
        if (row.at("kind") == kind)
            return row;
    throw std::runtime_error("inspect shows no such kind of namespace");
}

/// Names of the capabilities in a line such as "CapPrm:\t…", as capsh knows them.
std::set<std::string> decoded(const std::string &status, const std::string &field) {
    for (const std::string &line : berth::split(status, '\n')) {
        if (!line.starts_with(field + ":\t"))
            continue;
        const std::string text = succeed({"capsh", "--decode=" + line.substr(field.size() + 2)});
        std::set<std::string> names;
        for (const std::string &name : berth::split(text.substr(text.find('=') + 1), ','))
            if (!name.empty())
                names.insert(name);
        return names;
    }
    throw std::runtime_error("no " + field + " in: " + status);
}

std::set<std::string> names_in(const json &list) {
    return list.get<std::set<std::string>>();
}

class Inspect : public HostTest {
protected:
    Inspect() : HostTest("seen") {}

    static void SetUpTestSuite() {
        tree = std::make_unique<SmallTree>();
        make_programs();
        plain = std::make_unique<Machine>("seen-plain", Words{"-D", tree->path(), "-x", "--private-network"});
        mapped = std::make_unique<Machine>("seen-mapped",
                                           Words{"-D", tree->path(), "-x", "--private-users=pick",
                                                 "--private-time=yes", "--drop-capability=CAP_CHOWN"});
    }
    static void TearDownTestSuite() {
        mapped.reset();
        plain.reset();
        tree.reset();
    }

    /// Programs that show their own capabilities, each of which gets others by its exec.
    static void make_programs() {
        const auto add = [](const char *name, const char *capabilities, const char *mode, const char *owner) {
            const std::string file = tree->path() / name;
            succeed({"cp", tree->path() / "usr/sbin/init", file});
            succeed({"chown", owner, file});
            succeed({"chmod", mode, file});
            if (*capabilities != '\0')
                succeed({"setcap", capabilities, file});
        };
        add("shows-plain", "", "0755", "0:0");
        add("shows-effective", "cap_net_raw=ep", "0755", "0:0");
        add("shows-permitted", "cap_net_raw,cap_kill,cap_sys_time=p", "0755", "0:0");
        add("shows-inheritable", "cap_net_raw=ei", "0755", "0:0");
        add("shows-beyond", "cap_sys_time=ep", "0755", "0:0");
        add("shows-setuid", "", "4755", "0:0");
        add("shows-setuid-other", "", "4755", "33:33");
        add("shows-setgid", "", "2755", "0:0");
        add("shows-both", "cap_net_raw=ep", "4755", "0:0");
    }

    inline static std::unique_ptr<SmallTree> tree;
    inline static std::unique_ptr<Machine> plain;
    inline static std::unique_ptr<Machine> mapped; ///< with a user namespace of its own
};

/// Runs it in earnest, and compares what the kernel gave with what was foretold.
void expect_foretold(const RunningMachine &machine, const std::string &program, const std::string &who,
                     const std::string &uid) {
    SCOPED_TRACE(machine.name() + " " + program + " " + who);
    const json told = inspect(machine.name(), "capabilities", {"--file=/" + program}).at("file").at(who);
    const Outcome real = try_berth({"exec", "--uid=" + uid, machine.name(), "/" + program, "status"});
    EXPECT_EQ(told.at("refused"), real.status == 126) << told.dump() << real.err;
    if (real.status != 0)
        return;
    const std::pair<const char *, const char *> sets[]{
        {"permitted", "CapPrm"}, {"effective", "CapEff"}, {"inheritable", "CapInh"}, {"ambient", "CapAmb"}};
    for (const auto &[set, field] : sets)
        EXPECT_EQ(names_in(told.at(set)), decoded(real.out, field)) << set;
    EXPECT_THAT(real.out, HasSubstr("Uid:\t" + uid + "\t" + told.at("uid").dump() + "\t"));
}

} // namespace

TEST_F(Inspect, NamespacesAreThoseOfLsns) {
    for (const Machine *machine : {plain.get(), mapped.get()}) {
        const std::string leader = std::to_string(machine->leader());
        const json ours = inspect(machine->name(), "namespaces");
        EXPECT_EQ(ours.size(), 8U);
        const json theirs =
            json::parse(succeed({"lsns", "-J", "-p", leader, "-o", "NS,TYPE"})).at("namespaces");
        EXPECT_EQ(theirs.size(), 8U);
        for (const json &row : theirs)
            EXPECT_EQ(of_kind(ours, row.at("type").get<std::string>()).at("inode"), row.at("ns"))
                << row.dump();
        for (const json &row : ours) {
            const std::string kind = row.at("kind");
            EXPECT_EQ(row.at("host"), succeed({"readlink", "/proc/1/ns/" + kind})
                                          == succeed({"readlink", "/proc/" + leader + "/ns/" + kind}))
                << kind;
        }
    }
}

TEST_F(Inspect, NamespacesTellWhoSharesThemAndWhoOwnsThem) {
    const Machine guest("seen-guest", {"-D", tree->path(), "-x", "--network-of=seen-plain"});
    const json a = inspect("seen-plain", "namespaces");
    const json b = inspect("seen-mapped", "namespaces");
    const json c = inspect("seen-guest", "namespaces");
    EXPECT_EQ(of_kind(a, "net").at("machines"), json::array({"seen-guest"}));
    EXPECT_EQ(of_kind(c, "net").at("machines"), json::array({"seen-plain"}));
    EXPECT_EQ(of_kind(c, "net").at("host"), false);
    EXPECT_EQ(of_kind(c, "uts").at("machines"), json::array());
    EXPECT_EQ(of_kind(b, "uts").at("owner"), of_kind(b, "user").at("inode"));
    EXPECT_EQ(of_kind(b, "net").at("owner"), of_kind(a, "user").at("inode"));
    EXPECT_EQ(of_kind(b, "user").at("owner"), of_kind(a, "user").at("inode"));
    EXPECT_THAT(berth_succeeds({"inspect", "seen-mapped", "namespaces"}), HasSubstr("the machine's"));
    EXPECT_THAT(berth_succeeds({"inspect", "seen-guest", "namespaces"}), HasSubstr("seen-plain"));
}

TEST_F(Inspect, MapsAndOffsetsAreTheKernels) {
    const json user = of_kind(inspect("seen-mapped", "namespaces"), "user");
    const std::string leader = std::to_string(mapped->leader());
    const json range = user.at("uid_map").at(0);
    const std::string wanted =
        berth::format("{:>10} {:>10} {:>10}\n", range.at("inside").get<unsigned>(),
                      range.at("outside").get<unsigned>(), range.at("count").get<unsigned>());
    EXPECT_EQ(wanted, text_of("/proc/" + leader + "/uid_map"));
    const json offsets = of_kind(inspect("seen-mapped", "namespaces"), "time").at("offsets");
    EXPECT_LT(offsets.at("monotonic"), 0);
    EXPECT_EQ(of_kind(inspect("seen-plain", "namespaces"), "time").at("offsets").at("monotonic"), 0);
}

TEST_F(Inspect, CapabilitiesAreThoseOfTheLeader) {
    for (const Machine *machine : {plain.get(), mapped.get()}) {
        const json ours = inspect(machine->name(), "capabilities");
        const std::string status = text_of(berth::format("/proc/{}/status", machine->leader()));
        EXPECT_EQ(names_in(ours.at("bounding")), decoded(status, "CapBnd"));
        EXPECT_EQ(names_in(ours.at("permitted")), decoded(status, "CapPrm"));
        EXPECT_EQ(names_in(ours.at("effective")), decoded(status, "CapEff"));
        EXPECT_EQ(names_in(ours.at("inheritable")), decoded(status, "CapInh"));
        EXPECT_EQ(names_in(ours.at("ambient")), decoded(status, "CapAmb"));
    }
    EXPECT_TRUE(inspect("seen-plain", "capabilities").at("added").empty());
    EXPECT_TRUE(names_in(inspect("seen-mapped", "capabilities").at("removed")).contains("cap_chown"));
    EXPECT_THAT(berth_succeeds({"inspect", "seen-mapped", "capabilities"}), HasSubstr("-cap_chown"));
}

TEST_F(Inspect, WhatAFileGivesIsForetold) {
    for (const Machine *machine : {plain.get(), mapped.get()})
        for (const char *program :
             {"shows-plain", "shows-effective", "shows-permitted", "shows-inheritable", "shows-beyond",
              "shows-setuid", "shows-setuid-other", "shows-setgid", "shows-both"}) {
            expect_foretold(*machine, program, "root", "0");
            expect_foretold(*machine, program, "user", "65534");
        }
}

TEST_F(Inspect, NosuidMountsAndNoNewPrivilegesTakeItAway) {
    const Machine machine("seen-held-back", {"-D", tree->path(), "-x", "--no-new-privileges=yes"});
    for (const char *program : {"shows-effective", "shows-setuid", "shows-plain"}) {
        expect_foretold(machine, program, "root", "0");
        expect_foretold(machine, program, "user", "65534");
    }
    plain->exec({"sh", "-c", "cp /usr/sbin/init /tmp/shows && chmod 4755 /tmp/shows"});
    const json file = inspect("seen-plain", "capabilities", {"--file=/tmp/shows"}).at("file");
    EXPECT_EQ(file.at("nosuid"), true);
    EXPECT_EQ(file.at("user").at("uid"), 65534);
    expect_foretold(*plain, "tmp/shows", "user", "65534");
}

TEST_F(Inspect, CapabilitiesOfAUserNamespaceCountThereAlone) {
    const std::string file = tree->path() / "shows-ours";
    const std::string base =
        of_kind(inspect("seen-mapped", "namespaces"), "user").at("uid_map").at(0).at("outside").dump();
    succeed({"cp", tree->path() / "usr/sbin/init", file});
    succeed({"setcap", "-n", base, "cap_kill=ep", file});
    const json here = inspect("seen-plain", "capabilities", {"--file=/shows-ours"}).at("file");
    EXPECT_EQ(here.at("capabilities").at("rootid").dump(), base);
    EXPECT_EQ(here.at("capabilities").at("counts"), false);
    for (const char *uid : {"0", "65534"})
        expect_foretold(*plain, "shows-ours", *uid == '0' ? "root" : "user", uid);
    EXPECT_THAT(berth_succeeds({"inspect", "seen-plain", "capabilities", "--file=/shows-ours"}),
                HasSubstr("version 3, root is " + base));
}

TEST_F(Inspect, FilesAreLookedUpInsideAndMayBeHostile) {
    plain->exec(
        {"sh", "-c",
         "ln -s ../../../../../../bin/busybox /tmp/up; mkfifo /tmp/fifo; ln -s /proc/1/root/etc /tmp/magic"});
    EXPECT_EQ(inspect("seen-plain", "capabilities", {"--file=/tmp/up"}).at("file").at("mode"), "0755");
    for (const auto &[path, why] : std::initializer_list<std::pair<const char *, const char *>>{
             {"/tmp/fifo", "not a regular file"},
             {"/tmp", "not a regular file"},
             {"/nothing", "No such file"},
             {"/tmp/magic/passwd", "symbolic links"}}) {
        const Outcome outcome =
            try_berth({"inspect", "seen-plain", "capabilities", std::string("--file=") + path});
        EXPECT_EQ(outcome.status, 1) << path;
        EXPECT_THAT(outcome.err, AllOf(HasSubstr(path), HasSubstr(why)));
        EXPECT_THAT(outcome.out, IsEmpty());
    }
}

TEST_F(Inspect, MountsAreThoseOfMountinfo) {
    const json mounts = inspect("seen-plain", "mounts");
    std::multiset<std::string> ours;
    std::set<int> seen;
    for (const json &mount : mounts.at("tree")) {
        ours.insert(mount.at("target").get<std::string>() + " " + mount.at("type").get<std::string>());
        EXPECT_TRUE(seen.empty() || seen.contains(mount.at("parent").get<int>())) << mount.dump();
        seen.insert(mount.at("id").get<int>());
    }
    std::multiset<std::string> theirs;
    const std::string mountinfo = berth::format("/proc/{}/mountinfo", plain->leader());
    const std::string listed =
        succeed({"sh", "-c", "sed -E 's/^([^ ]+ ){4}([^ ]+) .* - ([^ ]+) .*/\\2 \\3/' " + mountinfo});
    for (const std::string &line : berth::split(listed, '\n'))
        theirs.insert(line);
    EXPECT_EQ(ours, theirs);
    EXPECT_EQ(mounts.at("layers").at("lower"), json::array({tree->path().native()}));
    EXPECT_FALSE(mounts.at("layers").at("upper").is_null());
    EXPECT_THAT(berth_succeeds({"inspect", "seen-plain", "mounts"}),
                AllOf(HasSubstr("└─"), HasSubstr("upper  "), HasSubstr("lower  " + tree->path().native())));
}

TEST_F(Inspect, MappedMountsAreMarked) {
    const Folder folder;
    const Machine machine("seen-bound", {"-D", tree->path(), "-x", "--private-users=pick",
                                         "--bind=" + folder.path().native() + ":/mapped:idmap",
                                         "--bind=" + folder.path().native() + ":/unmapped"});
    std::map<std::string, bool> marked;
    const json mounts = inspect("seen-bound", "mounts");
    for (const json &mount : mounts.at("tree"))
        marked[mount.at("target")] = mount.at("id_mapped");
    EXPECT_TRUE(marked.at("/mapped"));
    EXPECT_FALSE(marked.at("/unmapped"));
}

TEST_F(Inspect, GroupsTellProcessesAndWhetherTheyAreFrozen) {
    const fs::path group = plain->cgroup();
    const auto payload = [] {
        const json cgroup = inspect("seen-plain", "cgroup");
        for (const json &row : cgroup.at("groups"))
            if (row.at("group") == "payload")
                return json(row);
        throw std::runtime_error("no payload group is shown");
    };
    const std::string procs = text_of(group / "cgroup.procs");
    EXPECT_EQ(payload().at("processes"), std::ranges::count(procs, '\n'));
    EXPECT_EQ(payload().at("frozen"), false);
    EXPECT_EQ(payload().at("memory").is_null(), !fs::exists(group / "memory.current"));
    succeed({"sh", "-c", "echo 1 > \"$1\"", "sh", group / "cgroup.freeze"});
    EXPECT_TRUE(eventually([&] { return payload().at("frozen") == true; }));
    succeed({"sh", "-c", "echo 0 > \"$1\"", "sh", group / "cgroup.freeze"});
    const json whole = inspect("seen-plain", "cgroup");
    EXPECT_EQ("/sys/fs/cgroup" + whole.at("path").get<std::string>(), group.native());
    EXPECT_EQ(whole.at("unit"), "machine-seen\\x2dplain.scope");
    EXPECT_EQ(whole.at("delegated"), true);
    const std::string text = berth_succeeds({"inspect", "seen-plain", "cgroup"});
    EXPECT_EQ(text.contains("not available"), !fs::exists(group / "memory.current"));
}

TEST_F(Inspect, AllTopicsAndTheHost) {
    const json all = json::parse(berth_succeeds({"inspect", "seen-plain", "-o", "json"}));
    EXPECT_EQ(all.at("leader"), plain->leader());
    for (const char *topic : {"namespaces", "capabilities", "mounts", "cgroup"})
        EXPECT_TRUE(all.contains(topic)) << topic;
    for (const json &row : inspect(".host", "namespaces"))
        EXPECT_EQ(row.at("host"), true);
    EXPECT_EQ(inspect(".host", "cgroup").at("path"), succeed({"sed", "-n", "s/^0:://p", "/proc/1/cgroup"}));
}

TEST_F(Inspect, MistakesAreExplained) {
    const auto error = [](const Words &words) {
        const Outcome outcome = try_berth(words);
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.out, IsEmpty());
        return outcome.err;
    };
    EXPECT_THAT(error({"inspect", "seen-never"}), HasSubstr("seen-never"));
    EXPECT_THAT(error({"inspect", "seen-plain", "colour"}),
                AllOf(HasSubstr("\"colour\""), HasSubstr("mounts")));
    EXPECT_THAT(error({"inspect", "seen-plain", "mounts", "--file=/bin/sh"}), HasSubstr("--file="));
    const Outcome outcome =
        run({"setpriv", "--reuid=65534", "--clear-groups", "berth", "inspect", ".host", "namespaces"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("needs root"));
}
