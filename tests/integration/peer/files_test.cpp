// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that follow the host's, credentials, the journal and the way to shut down: given to
// systemd-nspawn and to berth in the same host, with the same to be seen afterwards.
#include <csignal>
#include <filesystem>

#include "base/format.hpp"
#include "support/options.hpp"
#include "support/snapshot.hpp"

using namespace berth::test;
namespace fs = std::filesystem;

namespace {

enum class Side : std::uint8_t { berth, peer };

/// The two programs, each on the tree as `prepare` leaves it.
class BesideFiles : public OptionTest {
protected:
    [[nodiscard]] Words command(Side side, Words options, const std::string &line) const {
        Words words{"berth", "run"};
        if (side == Side::peer)
            words = {"systemd-nspawn", "--register=no"};
        words.insert(words.end(),
                     {"--quiet", "--machine=options", "--pipe", "--directory=" + tree.path().native()});
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"sh", "-c", "exec 2>&1; " + line});
        return words;
    }
    [[nodiscard]] Outcome seen(Side side, const Words &options, const std::string &line) const {
        return run(command(side, options, line));
    }
    /// What both print and exit with.
    void expect_same(const Words &options, const std::string &line, const std::string &about) const {
        const Outcome ours = seen(Side::berth, options, line);
        const Outcome theirs = seen(Side::peer, options, line);
        EXPECT_EQ(ours.out, theirs.out) << about << ": " << ours.err << theirs.err;
        EXPECT_EQ(ours.status, theirs.status) << about;
    }

    enum class Before : std::uint8_t { none, file, link };
    void prepare(const std::string &path, Before before) const {
        fs::remove(tree / path);
        if (before == Before::file)
            tree.write(path, "own\n");
        if (before == Before::link)
            fs::create_symlink("/run/nowhere", tree / path);
    }
    /// Content, kind and whether it is mounted over.
    static std::string look(const std::string &path) {
        return berth::format("f=/{}; cat $f 2>/dev/null || echo nothing; readlink $f;"
                             " grep -q \" $f \" /proc/self/mountinfo && echo mounted; stat -c %a $f",
                             path);
    }
    /// The same in each state of the file before. A link is covered itself; there, what it leads to.
    void expect_same_file(const std::string &option, const std::string &path) const {
        for (const Before before : {Before::none, Before::file, Before::link}) {
            if (option == "--timezone=bind" && before == Before::link)
                continue;
            prepare(path, before);
            const Outcome ours = seen(Side::berth, {option}, look(path));
            const std::string left = look_at_disk(path);
            prepare(path, before);
            const Outcome theirs = seen(Side::peer, {option}, look(path));
            EXPECT_EQ(ours.out, theirs.out) << option << " " << static_cast<int>(before) << theirs.err;
            EXPECT_EQ(left, look_at_disk(path)) << option << " " << static_cast<int>(before);
        }
    }
    [[nodiscard]] std::string look_at_disk(const std::string &path) const {
        const fs::path file = tree / path;
        if (fs::is_symlink(file))
            return "-> " + fs::read_symlink(file).native();
        return fs::exists(file) ? text_of(file) : "nothing";
    }
};

} // namespace

TEST_F(BesideFiles, ResolvConf) {
    const HostFile host("/etc/resolv.conf", "host\n");
    const HostFile fixed("/usr/lib/systemd/resolv.conf", "static\n");
    const HostFile uplink("/run/systemd/resolve/resolv.conf", "uplink\n");
    const HostFile stub("/run/systemd/resolve/stub-resolv.conf", "stub\n");
    for (const char *mode : {"off", "copy-host", "copy-static", "copy-uplink", "copy-stub", "replace-host",
                             "replace-static", "replace-uplink", "replace-stub", "bind-host", "bind-static",
                             "bind-uplink", "bind-stub", "delete", "auto"})
        expect_same_file(std::string("--resolv-conf=") + mode, "etc/resolv.conf");
}

TEST_F(BesideFiles, Timezone) {
    const HostFile zone("/usr/share/zoneinfo/Test/Zone", "host zone\n");
    const HostFile host("/etc/localtime", std::nullopt);
    tree.write("usr/share/zoneinfo/Test/Zone", "inside\n");
    for (const bool link : {true, false}) {
        fs::remove("/etc/localtime");
        if (link)
            fs::create_symlink("/usr/share/zoneinfo/Test/Zone", "/etc/localtime");
        else
            fs::copy_file("/usr/share/zoneinfo/Test/Zone", "/etc/localtime");
        for (const char *mode : {"off", "copy", "bind", "symlink", "delete", "auto"})
            expect_same_file(std::string("--timezone=") + mode, "etc/localtime");
    }
    fs::remove("/etc/localtime");
    expect_same_file("--timezone=auto", "etc/localtime");
}

TEST_F(BesideFiles, Credentials) {
    dir.write("secret", "of a file\n");
    const Words both{"--set-credential=a:x\\x41\\n", "--load-credential=b:" + (dir / "secret").native()};
    const auto with = [&](Words more) {
        more.insert(more.end(), both.begin(), both.end());
        return more;
    };
    expect_same(with({}), "cat /run/host/credentials/*; test -w /run/host/credentials/a; echo $?", "root");
    expect_same(with({"--private-users=pick", "--private-network"}), "cat /run/host/credentials/*", "users");
}

TEST_F(BesideFiles, MachineId) {
    const std::string line = "echo $container_uuid; cat /run/host/container-uuid";
    const Words given{"--uuid=0123456789abcdef0123456789abcdef"};
    for (const char *id : {"", "uninitialized\n", "fedcba9876543210fedcba9876543210\n"}) {
        tree.write("etc/machine-id", id);
        expect_same(given, line, id);
    }
    expect_same({"--uuid=0123456789abcdef0123456789abcdef", "--volatile=yes"}, line, "volatile");
}

TEST_F(BesideFiles, Journal) {
    const std::string id = "5f3759df5f3759df5f3759df5f3759df";
    const fs::path folder = "/var/log/journal/" + id;
    tree.write("etc/machine-id", id + "\n");
    const std::string line = berth::format("grep -c ' {} ' /proc/self/mountinfo; test -d {}; echo $?",
                                           folder.native(), folder.native());
    const auto left = [&] {
        return fs::is_symlink(folder) ? "-> " + fs::read_symlink(folder).native()
               : fs::exists(folder)   ? std::string("folder")
                                      : std::string("nothing");
    };
    // Not "host": see differences.md.
    for (const char *mode : {"no", "guest", "try-guest"})
        for (const bool there : {false, true}) {
            std::vector<std::string> found;
            for (const Side side : {Side::berth, Side::peer}) {
                fs::remove_all(folder);
                fs::remove_all(tree / "var/log");
                if (there)
                    fs::create_directory(folder);
                const Outcome outcome = seen(side, {std::string("--link-journal=") + mode}, line);
                found.push_back(berth::format("{}{} {}", outcome.out, outcome.status, left()));
            }
            EXPECT_EQ(found[0], found[1]) << mode << " " << there;
        }
    fs::remove_all(folder);
    for (const char *mode : {"no", "auto", "host", "guest"})
        EXPECT_EQ(seen(Side::berth, {"-x", std::string("--link-journal=") + mode}, line).out,
                  seen(Side::peer, {"-x", std::string("--link-journal=") + mode}, line).out)
            << mode;
    fs::remove_all(folder);
}

TEST_F(BesideFiles, KillSignal) {
    const std::string line = "trap 'echo hup; exit 3' HUP; trap 'echo usr; exit 4' USR1; echo up;"
                             " while :; do sleep 0.1; done";
    for (const char *option : {"--kill-signal=SIGHUP", "--kill-signal=USR1", "--quiet"}) {
        std::vector<std::string> found;
        for (const Side side : {Side::berth, Side::peer}) {
            Process machine(command(side, {option}, line));
            machine.wait_for("up");
            machine.send_signal(SIGTERM);
            const int status = machine.wait();
            found.push_back(
                berth::format("{}{}", machine.out(), status > 128 ? "killed" : std::to_string(status)));
        }
        EXPECT_EQ(found[0].substr(0, found[0].find("killed")), found[1].substr(0, found[0].find("killed")))
            << option << ": " << found[0] << " " << found[1];
    }
}
