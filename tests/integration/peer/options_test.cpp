// SPDX-License-Identifier: LGPL-2.1-or-later
// The same options given to systemd-nspawn and to berth in the same host: what the machines see of
// themselves is the same, but for a table of differences, each with its reason. A difference that
// is not in the table is a failure, and so is one of the table that is none any more.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/format.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "peer/differences.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"
#include "support/probe.hpp"

using namespace berth::test;
namespace fs = std::filesystem;

namespace {

struct Variant {
    const char *name;
    Words options;
    bool piped = true;
};

std::ostream &operator<<(std::ostream &out, const Variant &variant) {
    return out << variant.name;
}

const std::vector<Variant> variants{
    {"plain", {}},
    {"console", {}, false},
    {"network", {"--private-network"}},
    {"users", {"--private-users=1310720:65536", "--private-users-ownership=map"}},
    {"pick", {"-U", "--private-network"}},
    {"process",
     {"--no-new-privileges=yes", "--ambient-capability=CAP_NET_RAW",
      "--drop-capability=CAP_CHOWN,CAP_SYS_CHROOT", "--capability=CAP_SYSLOG", "--rlimit=NOFILE=100:200",
      "--oom-score-adjust=300", "--cpu-affinity=0", "--hostname=other", "--setenv=TERM=dumb",
      "--setenv=ONE=1", "--chdir=/etc", "--personality=x86"}},
    {"mounts",
     {"--read-only", "--tmpfs=/var:mode=0700", "--bind=/usr/share:/mnt", "--bind-ro=/usr/share:/root",
      "--inaccessible=/etc/passwd", "--volatile=no"}},
    {"volatile", {"--volatile=yes"}},
    {"state", {"--volatile=state"}},
    {"boot", {"--boot"}},
};

/// Runs the probe as PID 1 of a machine in a unit of its own.
class Probed {
public:
    Probed(const std::string &side, const Variant &variant, const SmallTree &tree)
        : unit_("options-probe-" + side + ".service") {
        const bool boots = std::ranges::contains(variant.options, "--boot");
        if (boots) {
            fs::remove(tree / "usr/sbin/init");
            tree.write("usr/sbin/init", "#!/bin/sh\n" + probe_script() + "exec sleep infinity\n");
            fs::permissions(tree / "usr/sbin/init", fs::perms{0755});
        }
        fs::create_directory(tree / "mnt");
        Words words{"systemd-run",
                    "--quiet",
                    "--pipe",
                    "--wait",
                    "--collect",
                    "--service-type=exec",
                    "--unit=" + unit_,
                    "--property=Delegate=yes",
                    "--property=KillMode=mixed",
                    "--property=Slice=machine.slice",
                    "--property=TimeoutStopSec=2s",
                    "--property=SendSIGHUP=no",
                    "--expand-environment=no",
                    "--"};
        if (side == "berth")
            words.insert(words.end(), {"berth", "run"});
        else
            words.emplace_back("systemd-nspawn");
        words.insert(words.end(), {"--quiet", "--register=no", "--keep-unit", "--machine=probed",
                                   "--uuid=0123456789abcdef0123456789abcdef", "-D", tree.path()});
        if (variant.piped)
            words.emplace_back("--pipe");
        words.insert(words.end(), variant.options.begin(), variant.options.end());
        if (!boots)
            words.insert(words.end(), {"sh", "-c", probe_script() + "exec sleep infinity"});
        Process process(words);
        facts_ = facts_of(process.wait_for("== end"));
        add_cgroups(facts_, unit_);
        succeed({"systemctl", "stop", unit_});
        process.wait();
        // which a systemd-nspawn that was stopped leaves
        const fs::path left = "/run/systemd/nspawn/unix-export/probed";
        (void)::umount2(left.c_str(), MNT_DETACH);
        (void)::rmdir(left.c_str());
    }
    [[nodiscard]] const Facts &facts() const { return facts_; }

private:
    std::string unit_;
    Facts facts_;
};

class Peer : public HostTest, public testing::WithParamInterface<Variant> {};

TEST_P(Peer, SeesTheSame) {
    const Variant &variant = GetParam();
    const HostFile resolver("/etc/resolv.conf", "nameserver 192.0.2.1\n");
    const SmallTree ours;
    const SmallTree theirs;
    expect_differences(Probed("berth", variant, ours).facts(), Probed("peer", variant, theirs).facts(),
                       peer_differences(), variant.name);
}

std::string name_of(const testing::TestParamInfo<Variant> &info) {
    return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Options, Peer, testing::ValuesIn(variants), name_of);

} // namespace

namespace {

/// A section of differences.md, with its heading.
std::string section(const std::string &heading) {
    const std::string page = berth::read_file(BERTH_DIFFERENCES);
    const auto begin = page.find(heading);
    EXPECT_NE(begin, std::string::npos) << BERTH_DIFFERENCES << " has no " << heading;
    if (begin == std::string::npos)
        return {};
    const auto end = std::min(page.find("\n## ", begin), page.size());
    return std::string(berth::trim(page.substr(begin, end - begin)));
}

void expect_told(const std::string &heading, std::span<const Difference> differences) {
    std::string wanted = heading;
    for (const Difference &one : differences)
        wanted += berth::format("\n- `{}`{}: {}", one.key,
                                one.variants.empty() ? "" : berth::format(" ({})", one.variants), one.reason);
    EXPECT_EQ(section(heading), wanted);
}

} // namespace

TEST(PeerDifferences, AreToldToPeople) {
    expect_told("## What a machine sees of itself\n", peer_differences());
    expect_told("## Links of a machine\n", link_differences());
    std::string wanted = "## Options one by one\n";
    for (const OptionDifference &one : option_differences())
        wanted += berth::format("\n- `{}`: {}", one.options, one.reason);
    EXPECT_EQ(section("## Options one by one\n"), wanted);
}
