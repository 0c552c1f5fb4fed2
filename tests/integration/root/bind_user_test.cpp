// SPDX-License-Identifier: LGPL-2.1-or-later
// --bind-user=: users of the host and their homes inside.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "base/format.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

constexpr unsigned first_uid = 4100;

/// A user of the host with a private group, gone at the end.
class HostUser {
public:
    HostUser(std::string name, unsigned uid, const fs::path &home) : name_(std::move(name)), home_(home) {
        succeed({"groupadd", berth::format("--gid={}", uid + 1), name_});
        succeed({"useradd", berth::format("--uid={}", uid), berth::format("--gid={}", uid + 1),
                 "--no-create-home", "--home-dir=" + home.native(), "--shell=/bin/sh",
                 "--password=$y$j9T$abc$" + name_, name_});
        fs::create_directories(home);
        succeed({"chown", berth::format("{}:{}", uid, uid + 1), home});
    }
    HostUser(const HostUser &) = delete;
    HostUser &operator=(const HostUser &) = delete;
    ~HostUser() {
        for (const char *program : {"userdel", "groupdel"}) // the first may do for both, or a test may have
            (void)run({program, name_});
        std::error_code ignored;
        fs::remove_all(home_, ignored);
    }

private:
    std::string name_;
    fs::path home_;
};

/// Mounts on overlayfs cannot be mapped, those of a tmpfs can.
enum class Home : std::uint8_t { mapped, unmapped };

class BindUserBase : public OptionTest {
protected:
    explicit BindUserBase(Home kind)
        : anna_home(kind == Home::mapped ? dir / "anna" : fs::path("/home/berth-anna")),
          berta_home(kind == Home::mapped ? dir / "berta" : fs::path("/home/berth-berta")),
          anna("anna", first_uid, anna_home), berta("berta", first_uid + 10, berta_home) {
        fs::permissions(dir.path(), fs::perms{0755}); // on the way to the homes
        fs::create_directory(tree / "mnt");
    }

    fs::path anna_home;
    fs::path berta_home;
    HostUser anna;
    HostUser berta;
};

struct Way {
    const char *name;
    Words options;
    Home home = Home::mapped;
};

std::ostream &operator<<(std::ostream &out, const Way &way) {
    return out << way.name;
}

const std::vector<Way> ways{
    {"Pick", {"-U"}},
    {"PickUnmapped", {"-U"}, Home::unmapped},
    {"PickEphemeral", {"-U", "-x"}},
    {"PickEphemeralUnmapped", {"-U", "-x"}, Home::unmapped},
    {"Yes", {"--private-users"}},
    {"Identity", {"--private-users=identity"}},
    {"Fixed", {"--private-users=131072:60600", "--private-users-ownership=map"}},
    {"FixedUnmapped", {"--private-users=131072:60600", "--private-users-ownership=map"}, Home::unmapped},
    {"Chown", {"--private-users=131072", "--private-users-ownership=chown"}},
    {"ChownUnmapped", {"--private-users=131072", "--private-users-ownership=chown"}, Home::unmapped},
    {"Off", {"--private-users=131072", "--private-users-ownership=off"}},
    {"ReadOnly", {"-U", "--read-only"}},
};

class BindUserWays : public BindUserBase, public testing::WithParamInterface<Way> {
protected:
    BindUserWays() : BindUserBase(GetParam().home) {}
};

/// "--bind-user=" for these, after the options.
Words binding(Words options, const Words &users) {
    for (const std::string &user : users)
        options.push_back("--bind-user=" + user);
    return options;
}

std::string name_of_way(const testing::TestParamInfo<Way> &info) {
    return info.param.name;
}

class BindUser : public BindUserBase {
protected:
    BindUser() : BindUserBase(Home::mapped) {}
};

/// What is refused; the words are those of the options and a part of the error.
class BindUserRefused : public BindUser {
protected:
    void refused(const Words &options, const std::string &reason) const {
        const Outcome outcome = try_inside(options, "echo started");
        EXPECT_EQ(outcome.status, 1) << outcome.out;
        EXPECT_THAT(outcome.err, HasSubstr(reason));
        EXPECT_EQ(outcome.out, "");
    }
};

const std::string print_records =
    "cd /run/host/userdb; for f in *; do stat -c '%N %a %u:%g' $f; test -L $f || "
    "cat $f; done; stat -c '%n %A %u:%g' /run/host/home /run/host/home/*";

} // namespace

TEST_P(BindUserWays, OwnsTheHomeOnBothSides) {
    constexpr unsigned someone = 4999;
    for (const auto &[name, owner] :
         {std::pair{"of-anna", first_uid}, std::pair{"of-root", 0U}, std::pair{"of-someone", someone}}) {
        std::ofstream(anna_home / name) << "as it was\n";
        succeed({"chown", berth::format("{}:{}", owner, owner == first_uid ? owner + 1 : owner),
                 anna_home / name});
    }
    const Words options = binding(GetParam().options, {"anna", "berta"});
    EXPECT_EQ(inside(options,
                     "cd /run/host/home/anna; stat -c '%n %u:%g' . *; cat of-anna; stat -c %u:%g ../berta"),
              ". 60514:60514\nof-anna 60514:60514\nof-root 65534:65534\nof-someone 65534:65534\nas it was\n"
              "60515:60515");

    Words as_anna = options;
    as_anna.emplace_back("--user=anna");
    EXPECT_EQ(
        inside(as_anna,
               "id -u; id -g; id -G; echo $HOME $USER; cd; echo new > new; mkdir folder; exec 2>/dev/null; "
               "touch ../berta/x || echo refused; echo x >> of-root || echo refused"),
        "60514\n60514\n60514\n/run/host/home/anna anna\nrefused\nrefused");
    EXPECT_EQ(owner_of(anna_home / "new"), berth::format("{}:{} 644", first_uid, first_uid + 1));
    EXPECT_EQ(owner_of(anna_home / "folder"), berth::format("{}:{} 755", first_uid, first_uid + 1));

    // The machine's root may do what the user may, and no more.
    EXPECT_EQ(inside(options,
                     "cd /run/host/home/anna; exec 2>/dev/null; echo changed > of-anna; echo x > of-root || "
                     "echo refused; chown 60514 of-someone || echo refused; rm ../berta/../../os-release || "
                     "echo refused"),
              "refused\nrefused\nrefused");
    EXPECT_EQ(text_of(anna_home / "of-anna"), "changed\n");
    EXPECT_EQ(text_of(anna_home / "of-root"), "as it was\n");
    EXPECT_EQ(owner_of(anna_home / "of-someone"), berth::format("{0}:{0} 644", someone));
}

TEST_P(BindUserWays, IsMappedWhereNothingElseWorks) {
    const std::string map =
        inside(binding(GetParam().options, {"anna"}), "cat /proc/self/uid_map /proc/self/gid_map");
    const bool itself = map.contains(std::to_string(first_uid));
    EXPECT_EQ(itself, GetParam().home == Home::unmapped) << map;
}

INSTANTIATE_TEST_SUITE_P(Options, BindUserWays, testing::ValuesIn(ways), name_of_way);

TEST_F(BindUser, HasRecordsForThoseWhoMayReadThem) {
    EXPECT_EQ(
        inside({"-U", "--bind-user=anna", "--bind-user=anna"}, print_records),
        "'60514.group' -> 'anna.group' 777 0:0\n"
        "'60514.user' -> 'anna.user' 777 0:0\n"
        "'60514.user-privileged' -> 'anna.user-privileged' 777 0:0\n"
        "anna.group 644 0:0\n"
        R"({"groupName":"anna","gid":60514,"service":"org.berth1"})"
        "\n"
        "anna.user 644 0:0\n"
        R"({"userName":"anna","uid":60514,"gid":60514,"homeDirectory":"/run/host/home/anna","service":"org.berth1"})"
        "\n"
        "anna.user-privileged 600 0:0\n"
        R"({"privileged":{"hashedPassword":["$y$j9T$abc$anna"]}})"
        "\n"
        "/run/host/home drwxr-xr-x 0:0\n"
        "/run/host/home/anna drwxr-xr-x 60514:60514");
    EXPECT_EQ(
        inside({"-U", "--bind-user=anna", "--bind-user=berta", "--user=anna"},
               "cat /run/host/userdb/berta.user > /dev/null; cat /run/host/userdb/*-privileged 2>&1 | uniq"),
        "cat: can't open '/run/host/userdb/60514.user-privileged': Permission denied\n"
        "cat: can't open '/run/host/userdb/60515.user-privileged': Permission denied\n"
        "cat: can't open '/run/host/userdb/anna.user-privileged': Permission denied\n"
        "cat: can't open '/run/host/userdb/berta.user-privileged': Permission denied");
    EXPECT_EQ(
        inside({"-U"},
               "ls /run/host/userdb /run/host/home 2>&1 | wc -l; test -e /run/host/userdb || echo none"),
        "2\nnone");
}

TEST_F(BindUser, HasTheRecordsThatThePeerMakes) {
    // Of a record of the host as of its name services.
    const Mounted folder("tmpfs", "/etc/userdb", "mode=0755");
    const fs::path home = dir / "carl";
    fs::create_directory(home);
    succeed({"chown", "4140:4140", home});
    std::ofstream(folder.path() / "carl.user")
        << R"({"userName":"carl","uid":4140,"gid":4140,"homeDirectory":")" << home.native()
        << R"(","realName":"Carl","shell":"/bin/ash","disposition":"regular"})";
    std::ofstream(folder.path() / "carl.user-privileged")
        << R"({"privileged":{"hashedPassword":["$y$1","$y$2"],"sshAuthorizedKeys":["ssh-ed25519 A c"]}})";
    std::ofstream(folder.path() / "4140.group") << R"({"groupName":"carl","gid":4140})";

    const Words peer{"systemd-nspawn",
                     "--quiet",
                     "--register=no",
                     "--pipe",
                     "--machine=options-peer",
                     "-U",
                     "-D",
                     tree.path(),
                     "--bind-user=anna",
                     "--bind-user=carl",
                     "sh",
                     "-ec",
                     print_records};
    std::string theirs = succeed(peer);
    for (std::size_t at = 0; (at = theirs.find("io.systemd.NSpawn", at)) != std::string::npos;)
        theirs.replace(at, std::string_view("io.systemd.NSpawn").size(), "org.berth1");
    EXPECT_EQ(inside({"-U", "--bind-user=anna", "--bind-user=carl"}, print_records), theirs);
    EXPECT_THAT(theirs, HasSubstr("ssh-ed25519 A c"));
}

TEST_F(BindUser, RecordsAreReadBySystemd) {
    // On this host the machine's records are put where systemd looks for them, and the user is no more
    // but in them: what systemd-nspawn then hands on, it has read there.
    const Mounted folder("tmpfs", "/run/userdb", "mode=0755");
    const fs::path home = "/run/host/home/anna"; // as the record says
    fs::create_directories(home);
    succeed({"chown", "60514:60514", home});
    inside({"-U", "--bind-user=anna", "--bind={dir}:/mnt:rootidmap"}, "cp -a /run/host/userdb /mnt/records");
    succeed({"cp", "-a", (dir / "records").native() + "/.", folder.path()});
    succeed({"chown", "-hR", "0:0", folder.path()});
    succeed({"userdel", "anna"});
    const std::string read = succeed({"systemd-nspawn", "--quiet", "--register=no", "--pipe",
                                      "--machine=options-peer", "-U", "-D", tree.path(), "--bind-user=anna",
                                      "sh", "-ec", "cat /run/host/userdb/anna.*; cat /proc/self/uid_map"});
    fs::remove_all("/run/host/home");
    std::error_code not_empty;
    fs::remove("/run/host", not_empty);
    EXPECT_THAT(read, HasSubstr("$y$j9T$abc$anna"));
    EXPECT_THAT(read, testing::ContainsRegex("60514 +60514 +1"));
}

TEST_F(BindUser, HasTheShellThatWasAskedFor) {
    const std::string shell = "grep -o '\"shell\":\"[^\"]*\"' /run/host/userdb/anna.user || echo none";
    EXPECT_EQ(inside({"-U", "--bind-user=anna"}, shell), "none");
    EXPECT_EQ(inside({"-U", "--bind-user=anna", "--bind-user-shell=no"}, shell), "none");
    EXPECT_EQ(inside({"-U", "--bind-user=anna", "--bind-user-shell=yes"}, shell), "\"shell\":\"/bin/sh\"");
    EXPECT_EQ(inside({"-U", "--bind-user=anna", "--bind-user-shell=/bin/ash"}, shell),
              "\"shell\":\"/bin/ash\"");
}

TEST_F(BindUser, GetsAnIdThatTheTreeHasNoUseFor) {
    std::ofstream(tree / "etc/passwd", std::ios::app) << "one:x:60514:5::/:\n";
    std::ofstream(tree / "etc/group", std::ios::app) << "two:x:60515:\n";
    const std::string ids =
        "stat -c %u:%g /run/host/home/anna /run/host/home/berta; ls /run/host/userdb/*[0-9].user";
    EXPECT_EQ(inside({"-U", "-x", "--bind-user=anna", "--bind-user=berta"}, ids),
              "60516:60516\n60517:60517\n/run/host/userdb/60516.user\n/run/host/userdb/60517.user");
}

TEST_F(BindUser, FilesNameUsersToo) {
    const std::string line = "ls -d /run/host/home/*";
    const fs::path toml =
        dir.write("m.toml", "[exec]\nprivate_users = \"pick\"\n\n[files]\nbind_user = [\"anna\", "
                            "\"berta\"]\nbind_user_shell = \"yes\"\n");
    const HostFile ours("/etc/berth/options.toml", text_of(toml));
    EXPECT_EQ(inside({}, line), "/run/host/home/anna\n/run/host/home/berta");
    EXPECT_EQ(inside({"--settings=no", "-U", "--bind-user=berta"}, line), "/run/host/home/berta");
}

TEST_F(BindUser, FilesOfThePeerNameUsersToo) {
    const HostFile theirs("/etc/systemd/nspawn/options.nspawn",
                          "[Exec]\nPrivateUsers=pick\n[Files]\nBindUser=anna berta\n");
    EXPECT_EQ(inside({}, "ls -d /run/host/home/*"), "/run/host/home/anna\n/run/host/home/berta");
    EXPECT_THAT(berth_succeeds({"config", "convert", "/etc/systemd/nspawn/options.nspawn"}),
                testing::ContainsRegex("bind_user = \\[ ?.anna., .berta. ?\\]"));
}

TEST_F(BindUser, RunsCommandsInARunningMachine) {
    const Machine machine("options-bound", {"-D", tree.path(), "-U", "--bind-user=anna"});
    EXPECT_EQ(machine.exec({"id", "-u"}), "0");
    EXPECT_EQ(berth_succeeds({"exec", "--uid=anna", "options-bound", "sh", "-c", "id -u; id -g; echo $HOME"}),
              "60514\n60514\n/run/host/home/anna");
    const std::string mounts = berth::read_file("/proc/self/mountinfo");
    EXPECT_THAT(mounts, testing::Not(HasSubstr("/run/host/home")));
}

TEST_F(BindUser, GetsAnIdAtEachBoot) {
    Machine machine("options-bound", {"-D", tree.path(), "-U", "--boot", "--bind-user=anna"}, {"ready"});
    const Words owner{"stat", "-c", "%u:%g", "/run/host/home/anna"};
    EXPECT_EQ(machine.exec(owner), "60514:60514");
    machine.exec({"sh", "-c", "echo one:x:60514:5::/: >> /etc/passwd"});
    berth_succeeds({"reboot", "options-bound"});
    machine.launcher().wait_for("test init is up");
    EXPECT_EQ(machine.exec(owner), "60515:60515");
}

TEST_F(BindUserRefused, WithoutUsersOfTheMachines) {
    const std::string reason =
        "--bind-user=anna: a user of the host needs a user namespace to be mapped into: add "
        "--private-users=";
    refused({"--bind-user=anna"}, reason);
    refused({"--private-users=no", "--bind-user=anna"}, reason);
    refused({"-U", "--bind-user-shell=yes"}, "there is no user to have this shell: add --bind-user=");
}

TEST_F(BindUserRefused, WhenThereIsNoSuchUser) {
    refused({"-U", "--bind-user=nosuch"}, "--bind-user=nosuch: there is no user nosuch on the host");
    refused({"-U", "--bind-user=anna", "--bind-user=nosuch"}, "--bind-user=nosuch: there is no user nosuch");
    refused({"-U", "--bind-user=4100"}, "--bind-user=4100: \"4100\" is no name of a user");
    refused({"-U", "--bind-user="}, "\"\" is no name of a user");
}

TEST_F(BindUserRefused, WhenItIsOneThatNobodyMayShare) {
    refused({"-U", "--bind-user=root"}, "--bind-user=root: user root is root on the host");
    refused({"-U", "--bind-user=nobody"}, "--bind-user=nobody: user nobody is nobody");
    {
        const Mounted folder("tmpfs", "/etc/userdb", "mode=0755");
        std::ofstream(folder.path() / "toor.user") << R"({"userName":"toor","uid":0,"homeDirectory":"/tmp"})";
        refused({"-U", "--bind-user=toor"}, "user toor is root on the host");
    }
    succeed({"usermod", "--gid=anna", "berta"});
    refused({"-U", "--bind-user=berta"},
            "the primary group of user berta is anna, which is not a private one");
}

TEST_F(BindUserRefused, WhenTheMachineHasNoPlaceForIt) {
    refused({"--private-users=131072:1000", "--bind-user=anna"},
            "--bind-user=anna: the machine has no free ID from 60514 to 60577");
    std::ofstream(tree / "etc/group", std::ios::app) << "berta:x:5:\n";
    refused({"-U", "--bind-user=anna", "--bind-user=berta"},
            "--bind-user=berta: the machine has a group berta of its own");
    std::ofstream(tree / "etc/passwd", std::ios::app) << "anna:x:5:5::/:\n";
    refused({"-U", "-x", "--bind-user=anna"}, "--bind-user=anna: the machine has a user anna of its own");
}

TEST_F(BindUserRefused, WhenTheHomeIsNone) {
    fs::remove_all(anna_home);
    refused({"-U", "--bind-user=anna"},
            "opening " + anna_home.native() + ", the home of user anna: No such file");
    std::ofstream(anna_home) << "x";
    refused({"-U", "--bind-user=anna"}, ", the home of user anna: Not a directory");
    fs::create_directory_symlink("/", dir / "link");
    for (const std::string &home : {std::string("/"), std::string("//"), std::string("/."),
                                    std::string("/etc/.."), (dir / "link").native()}) {
        succeed({"usermod", "--home=" + home, "berta"});
        refused({"-U", "--bind-user=berta"}, "the home of user berta is the host's root");
    }
}

TEST_F(BindUserRefused, WhenItIsAUserOfTheMachineAlready) {
    const HostUser dora("dora", first_uid + 20, "/home/berth-dora"); // on overlayfs
    refused({"--private-users=identity", "--bind-user=dora"},
            "--bind-user=dora: ID 4120 of user dora is among those of the machine, from 0 on");
}

TEST_F(BindUserRefused, WhenTheTreeLaysTraps) {
    fs::remove(tree / "etc/passwd");
    ASSERT_EQ(::mkfifo((tree / "etc/passwd").c_str(), 0666), 0);
    refused({"-U", "--bind-user=anna"}, "/etc/passwd in the tree is not a regular file");
    fs::remove(tree / "etc/passwd");
    // Out of the tree there is the host's own, which has anna.
    fs::create_symlink("../../../../../../../../etc/passwd", tree / "etc/passwd");
    refused({"-U", "--bind-user=anna"}, "/etc/passwd");
}
