// SPDX-License-Identifier: LGPL-2.1-or-later
// What berth inspect tells of system call filters, compared with the kernel's count and with calls made.
#include <sys/utsname.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

#include "base/format.hpp"
#include "base/parse.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

json inspected(const std::string &machine) {
    return json::parse(berth_succeeds({"inspect", machine, "seccomp", "-o", "json"})).at("seccomp");
}

/// What it tells of the calls of our own architecture.
json native(const json &told) {
    utsname system{};
    EXPECT_EQ(::uname(&system), 0);
    for (const json &one : told.at("architectures"))
        if (one.at("name") == static_cast<const char *>(system.machine))
            return one;
    throw std::runtime_error("inspect tells nothing of our architecture");
}

bool holds(const json &list, const char *call) {
    return std::ranges::contains(list, json(call));
}

/// As many as the kernel counts.
void expect_all_filters(const json &told, pid_t pid) {
    EXPECT_EQ(std::to_string(told.at("instructions").size()), status_field(pid, "Seccomp_filters"));
}

class InspectSeccomp : public OptionTest {
protected:
    [[nodiscard]] Words options(Words more = {}) const {
        more.insert(more.begin(), {"-D", tree.path(), "-x"});
        return more;
    }
};

} // namespace

TEST_F(InspectSeccomp, WithoutRules) {
    const Machine machine("seen-usual", options());
    const json told = inspected("seen-usual");
    expect_all_filters(told, machine.leader());
    const json calls = native(told);
    for (const char *call : {"chroot", "mount", "fsync", "openat2"})
        EXPECT_TRUE(holds(calls.at("allowed"), call)) << call;
    EXPECT_TRUE(holds(calls.at("errno").at("EPERM"), "swapoff"));
    EXPECT_EQ(calls.at("by_arguments").at("socket"), json({"EAFNOSUPPORT", "allowed"}));
    EXPECT_EQ(calls.at("nameless"), "ENOSYS");
    EXPECT_THAT(calls.at("killed"), IsEmpty());
    const std::string text = berth_succeeds({"inspect", "seen-usual", "seccomp"});
    EXPECT_THAT(text, HasSubstr(berth::format("{} filters of system calls", told.at("instructions").size())));
    EXPECT_THAT(text, HasSubstr("calls newer than these names fail with ENOSYS"));
    EXPECT_THAT(text, Not(HasSubstr(" chroot ")));
}

TEST_F(InspectSeccomp, WithRules) {
    const Machine machine("seen-ruled",
                          options({"--system-call-filter=~chroot:EIO umount2:kill mount",
                                   "--system-call-filter=@swap swapon:log", "--suppress-sync=yes"}));
    const json told = inspected("seen-ruled");
    expect_all_filters(told, machine.leader());
    const json calls = native(told);
    EXPECT_EQ(calls.at("errno").at("EIO"), json({"chroot"}));
    EXPECT_EQ(calls.at("killed"), json({"umount2"}));
    EXPECT_EQ(calls.at("logged"), json({"swapon"}));
    EXPECT_TRUE(holds(calls.at("errno").at("EPERM"), "mount"));
    EXPECT_TRUE(holds(calls.at("errno").at("success"), "fsync"));
    EXPECT_TRUE(holds(calls.at("allowed"), "swapoff"));
    const std::string text = berth_succeeds({"inspect", "seen-ruled", "seccomp"});
    for (const char *line : {"1 fail with EIO:\n          chroot", "1 kill the process:\n          umount2",
                             "1 go through, and are logged:\n          swapon"})
        EXPECT_THAT(text, HasSubstr(line));
}

TEST_F(InspectSeccomp, OfTheHost) {
    expect_all_filters(inspected(".host"), 1);
}

TEST_F(InspectSeccomp, ToldAmongAllTopics) {
    const Machine machine("seen-usual", options());
    EXPECT_EQ(json::parse(berth_succeeds({"inspect", "seen-usual", "-o", "json"})).at("seccomp"),
              inspected("seen-usual"));
}
