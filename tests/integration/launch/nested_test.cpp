// SPDX-License-Identifier: LGPL-2.1-or-later
// Machines within machines, and launchers that may do less than root of the host.
#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "kernel/capabilities.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

/// The tree is one that has this host's programs, berth among them, and another tree in it.
class Nested : public OptionTest {
protected:
    Nested() {
        for (const char *name : {"bin", "sbin", "lib", "lib64"})
            if (fs::is_symlink(fs::path("/") / name))
                fs::copy_symlink(fs::path("/") / name, dir / name);
        for (const char *file : {"etc/os-release", "etc/passwd", "etc/group", "etc/ld.so.cache"})
            dir.write(file, text_of(fs::path("/") / file));
        fs::create_directory(dir / "usr");
    }

    /// A shell's line that runs `line` in a machine with `users` made of the host's programs. Each makes the
    /// tree of the next in a place of its own.
    static std::string machine(const std::string &users, const std::string &line) {
        return "mkdir -p /w/tree/usr /w/tree/etc && cp -a /bin /sbin /lib /lib64 /w/tree && "
               "cp -a /etc/os-release /etc/passwd /etc/group /etc/ld.so.cache /w/tree/etc && "
               "berth run -q -P --register=no --keep-unit --bind-ro=/usr --tmpfs=/w -D /w/tree "
               + users + " sh -c '" + line + "'";
    }
    [[nodiscard]] Outcome outermost(const std::string &users, const std::string &line) const {
        return run({"berth", "run", "-q", "-P", "-M", "options", "--bind-ro=/usr", "--tmpfs=/w", "-D",
                    dir.path(), users, "sh", "-c", line});
    }
};

} // namespace

TEST_F(Nested, ThreeDeep) {
    const std::string innermost = "id -u; test -d /proc/1 && test ! -w /proc/sys/kernel/domainname; echo $?";
    const auto quoted = [](const std::string &line) {
        std::string text;
        for (const char c : line)
            text += c == '\'' ? std::string("'\\''") : std::string(1, c);
        return text;
    };
    const std::string none = "--private-users=no";
    const std::string many = "--private-users=1000000:300000";
    for (const auto &[one, two, three] :
         {std::array{none, none, none}, std::array{none, none, std::string("-U")},
          std::array{none, std::string("-U"), none}, std::array{std::string("-U"), none, none},
          std::array{many, none, std::string("-U")}, std::array{many, std::string("-U"), none},
          std::array{none, many, std::string("-U")}}) {
        const Outcome outcome = outermost(one, machine(two, quoted(machine(three, innermost))));
        EXPECT_EQ(outcome.out, "0\n0\n") << one << " " << two << " " << three << ": " << outcome.err;
    }
}

TEST_F(Nested, UsersThatAreTooFewAreTold) {
    EXPECT_THAT(outermost("-U", machine("-U", "true")).err,
                AllOf(HasSubstr("too few"), HasSubstr("--private-users=BASE:COUNT")));
}

TEST_F(Nested, NodesThatMayNotBeMadeAreTheHosts) {
    const std::string line = "echo x >/dev/null && ls -l /dev/null /dev/net/tun | cut -c1-10";
    const auto checked = [&](Words words) {
        for (const char *users : {"--private-users=no", "-U"}) {
            Words all = words;
            all.insert(all.end(), {"berth", "run", "-q", "-P", "-x", "-M", "options", users, "-D",
                                   tree.path(), "sh", "-c", line});
            const Outcome outcome = run(all);
            EXPECT_EQ(outcome.out, "crw-rw-rw-\ncrw-rw-rw-\n") << words.front() << users << outcome.err;
        }
    };
    checked({"setpriv", "--bounding-set=-mknod"});
    // Their modes and owners are the host's affair.
    for (const char *users : {"--private-users=no", "--private-users=identity"})
        EXPECT_NE(run({"setpriv", "--bounding-set=-mknod", "berth", "run", "-q", "-P", "-x", "-M", "options",
                       users, "-D", tree.path(), "chmod", "600", "/dev/null"})
                      .status,
                  0)
            << users;
    EXPECT_EQ(owner_of("/dev/null"), "0:0 666");
    checked({"systemd-run", "-q", "--wait", "--pipe", "-p", "DevicePolicy=closed", "-p",
             "DeviceAllow=char-pts rw"});
}

TEST_F(Nested, NothingIsNeededThatIsNotNeeded) {
    // To make namespaces and mounts, to become the machine's users, to give up rights, to write where others
    // own; with users of its own to map them, and to give files to them.
    const std::set<std::string> plain{"cap_sys_admin", "cap_setgid", "cap_setpcap", "cap_dac_override"};
    const std::set<std::string> with_users{"cap_sys_admin", "cap_setuid",       "cap_setgid",
                                           "cap_chown",     "cap_dac_override", "cap_sys_ptrace"};
    for (const std::string &name : berth::capabilities::names(berth::capabilities::all())) {
        const auto start = [&](const char *users, const Words &more) {
            Words all{"setpriv", "--bounding-set=-" + name.substr(4),
                      "berth",   "run",
                      "-q",      "-P",
                      "-x",      "-M",
                      "options", users,
                      "-D",      tree.path()};
            all.insert(all.end(), more.begin(), more.end());
            all.emplace_back("true");
            return run(all);
        };
        EXPECT_EQ(start("--private-users=no", {}).status == 0, !plain.contains(name)) << name;
        const Outcome users = start("-U", {});
        EXPECT_EQ(users.status == 0, !with_users.contains(name)) << name << users.err;
        EXPECT_THAT(users.err, Not(HasSubstr("cannot map users"))) << "which is not why";
        if (!plain.contains(name)) {
            const Outcome asked = start("--private-users=no", {"--capability=" + name});
            EXPECT_EQ(asked.status, 1) << name;
            EXPECT_THAT(asked.err, AllOf(HasSubstr("--capability=" + name), HasSubstr("nor can we get it")));
        }
    }
}

TEST_F(Nested, PortsOfTheHostAreNotForRootOfAnotherRange) {
    const auto bounding = [&](Words program, const std::string &network, const std::string &name) {
        program.insert(program.end(), {"-q", "-P", "-x", "-U", network, "-M", name, "-D", tree.path(), "grep",
                                       "CapBnd", "/proc/self/status"});
        return run(program).out;
    };
    int number = 0; // systemd-nspawn's names are not free at once
    for (const char *network : {"--private-users=pick", "--private-network"}) {
        const std::string name = "options-" + std::to_string(++number);
        EXPECT_EQ(bounding({"berth", "run"}, network, name),
                  bounding({"systemd-nspawn"}, network, name + "-peer"))
            << network;
    }
}
