// SPDX-License-Identifier: LGPL-2.1-or-later
// Mounts into machines that run: `berth bind` and `berth unbind`.
#include <filesystem>
#include <fstream>

#include "support/host_test.hpp"
#include "support/machine.hpp"
#include "support/trees.hpp"

using namespace berth::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

class LiveMounts : public HostTest {
protected:
    LiveMounts() {
        fs::create_directories(source.path() / "sub");
        std::ofstream(source.path() / "file") << "from the host\n";
    }

    [[nodiscard]] Words on_tree(Words more = {}) const {
        more.insert(more.begin(), {"-D", tree.path().native(), "-x"});
        return more;
    }

    SmallTree tree;
    SmallTree source;
};

} // namespace

TEST_F(LiveMounts, AreSeenInsideAndGoAgain) {
    const Machine machine("mounted", on_tree());
    berth_succeeds({"bind", "mounted", source.path(), "/in/here", "--mkdir"});
    EXPECT_EQ(machine.exec({"cat", "/in/here/file"}), "from the host");
    EXPECT_EQ(machine.try_exec({"sh", "-c", "echo more >/in/here/new"}).status, 0);
    EXPECT_TRUE(fs::exists(source.path() / "new"));
    berth_succeeds({"unbind", "mounted", "/in/here"});
    EXPECT_NE(machine.try_exec({"cat", "/in/here/file"}).status, 0);
}

TEST_F(LiveMounts, FilesAndReadOnly) {
    const Machine machine("mounted", on_tree());
    berth_succeeds({"bind", "mounted", source.path() / "file", "/etc/bound", "--mkdir", "--read-only"});
    EXPECT_EQ(machine.exec({"cat", "/etc/bound"}), "from the host");
    EXPECT_NE(machine.try_exec({"sh", "-c", "echo x >/etc/bound"}).status, 0);
    berth_succeeds({"unbind", "mounted", "/etc/bound"});
}

TEST_F(LiveMounts, AreMadeForMachinesWithUsersOfTheirOwn) {
    const Machine machine("mounted", on_tree({"-U"}));
    berth_succeeds({"bind", "mounted", source.path(), "/in", "--mkdir"});
    EXPECT_EQ(machine.exec({"cat", "/in/file"}), "from the host");
    EXPECT_EQ(machine.exec({"stat", "-c", "%u", "/"}), "0");
    const Outcome outcome = try_berth({"bind", "mounted", source.path(), "/ro", "--mkdir", "--read-only"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("--bind-ro="));
}

TEST_F(LiveMounts, DoNotLeadOut) {
    const Machine machine("mounted", on_tree());
    machine.exec({"ln", "-s", "/../../../../../../etc", "/link"});
    berth_succeeds({"bind", "mounted", source.path(), "/link/berth-test-inside", "--mkdir"});
    EXPECT_FALSE(fs::exists("/etc/berth-test-inside"));
    EXPECT_EQ(machine.exec({"cat", "/etc/berth-test-inside/file"}), "from the host");
}

TEST_F(LiveMounts, MistakesAreNamed) {
    const Machine machine("mounted", on_tree());
    const auto error = [](const Words &words) {
        const Outcome outcome = try_berth(words);
        EXPECT_EQ(outcome.status, 1);
        return outcome.err;
    };
    EXPECT_THAT(error({"bind", "mounted", "relative"}), HasSubstr("\"relative\" is not an absolute path"));
    EXPECT_THAT(error({"bind", "mounted", "/no/such/path"}), HasSubstr("/no/such/path: No such file"));
    EXPECT_THAT(error({"bind", "mounted", source.path(), "/not/there"}), HasSubstr("--mkdir makes it"));
    EXPECT_THAT(error({"bind", "mounted", source.path(), "/etc/passwd"}), HasSubstr("Not a directory"));
    EXPECT_THAT(error({"unbind", "mounted", "/etc"}),
                HasSubstr("nothing that berth bind has mounted is on /etc"));
    EXPECT_THAT(error({"bind", "nobody", "/etc", "/mnt"}), HasSubstr("nobody"));
}
