// SPDX-License-Identifier: LGPL-2.1-or-later
// Filters of system calls as machines have them: in the first command, and in what enters later.
#include <filesystem>

#include "peer/differences.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

// Each makes a system call of which is seen who answers it, the kernel or a filter.
const std::string do_chroot = "chroot / true; echo $?; ";
const std::string do_mount = "mount -t tmpfs none /mnt && umount /mnt; echo $?; ";
const std::string do_swapoff = "swapoff /nowhere; ";
const std::string do_fsync = "dd if=/dev/zero of=/dev/null count=0 conv=fsync 2>&1 | grep -v records; ";

// Denied by a filter: root would be allowed to.
const std::string no_chroot = "chroot: can't change root directory to '/': Operation not permitted\n1\n";
const std::string no_mount = "mount: permission denied (are you root?)\n1\n";
const std::string no_swapoff = "swapoff: /nowhere: Operation not permitted";
const std::string io_error = "chroot: can't change root directory to '/': Input/output error\n";
// The kernel's own.
const std::string no_swap = "swapoff: /nowhere: No such file or directory";
const std::string no_sync = "dd: /dev/null: Invalid argument";

const std::vector<OptionRow> rows{
    {"None",
     {"-x"},
     do_chroot + do_mount + do_fsync + do_swapoff,
     "0\n0\n" + no_sync + "\n" + no_swapoff,
     ""},
    {"Denied",
     {"-x", "--system-call-filter=~@mount"},
     do_chroot + do_mount + do_swapoff,
     no_chroot + no_mount + no_swapoff,
     ""},
    {"DeniedWithOtherUsers",
     {"-x", "-U", "--system-call-filter=~@mount"},
     do_chroot + do_mount + do_swapoff,
     no_chroot + no_mount + no_swapoff,
     ""},
    {"DeniedForAUser",
     {"-x", "--user=1000", "--system-call-filter=~chroot:EIO"},
     do_chroot + do_swapoff,
     io_error + "1\n" + no_swapoff,
     ""},
    {"DeniedBehindTheStub",
     {"-x", "--as-pid2", "--system-call-filter=~@mount"},
     do_chroot + "grep Seccomp: /proc/1/status",
     no_chroot + "Seccomp:\t2",
     ""},
    {"Allowed",
     {"-x", "--system-call-filter=@swap"},
     do_chroot + do_mount + do_swapoff,
     "0\n0\n" + no_swap,
     ""},
    {"ListsAddUp",
     {"-x", "--system-call-filter=swapon swapoff", "--system-call-filter=~chroot"},
     do_chroot + do_mount + do_swapoff,
     no_chroot + "0\n" + no_swap,
     ""},
    {"DeniedAndAllowed",
     {"-x", "--system-call-filter=~@mount", "--system-call-filter=chroot"},
     do_chroot + do_mount + do_swapoff,
     no_chroot + no_mount + no_swapoff,
     ""},
    {"Errno",
     {"-x", "--system-call-filter=~chroot:EIO"},
     do_chroot + do_mount + do_swapoff,
     io_error + "1\n0\n" + no_swapoff,
     ""},
    {"Kill",
     {"-x", "--system-call-filter=~chroot:kill"},
     do_chroot + do_mount + do_swapoff,
     "Bad system call\n159\n0\n" + no_swapoff,
     ""},
    {"UnknownGroup",
     {"-x", "--system-call-filter=~@moutn"},
     "true",
     "",
     "there is no group \"@moutn\"; did you mean \"@mount\"?"},
    {"SyncSuppressed", {"-x", "--suppress-sync=yes"}, do_fsync + do_swapoff, no_swapoff, ""},
    {"SyncSuppressedWithOtherUsers",
     {"-x", "-U", "--suppress-sync=yes"},
     do_fsync + do_swapoff,
     no_swapoff,
     ""},
    {"SyncSuppressedBehindTheStub",
     {"-x", "--as-pid2", "--suppress-sync=yes"},
     do_fsync + do_swapoff,
     no_swapoff,
     ""},
    {"SyncSuppressedAndDenied",
     {"-x", "--suppress-sync=yes", "--system-call-filter=~@mount"},
     do_chroot + do_fsync + do_swapoff,
     no_chroot + no_swapoff,
     ""},
};

class SystemCalls : public OptionRows {
protected:
    SystemCalls() { fs::create_directory(tree / "mnt"); }
};

TEST_P(SystemCalls, HoldInside) {
    check(GetParam());
}
TEST_P(SystemCalls, HoldForThePeer) {
    check_beside_peer(GetParam(), option_difference("SystemCalls", GetParam().name));
}
INSTANTIATE_TEST_SUITE_P(Options, SystemCalls, testing::ValuesIn(rows), name_of_row);

/// The same rows, asked of a process that enters the machine.
class EnteredSystemCalls : public SystemCalls {};

TEST_P(EnteredSystemCalls, HoldToo) {
    const OptionRow &row = GetParam();
    Words options{"-D", tree.path()};
    options.insert(options.end(), row.options.begin(), row.options.end());
    const Machine machine("options-calls", options);
    const Outcome outcome = machine.try_exec({"sh", "-c", "exec 2>&1; " + row.line});
    EXPECT_EQ(outcome.out, row.out + "\n") << outcome.err;
}
INSTANTIATE_TEST_SUITE_P(Options, EnteredSystemCalls, testing::ValuesIn([] {
                             std::vector<OptionRow> started = rows;
                             std::erase_if(started,
                                           [](const OptionRow &row) { return !row.refused.empty(); });
                             return started;
                         }()),
                         name_of_row);

class MoreSystemCalls : public SystemCalls {};

} // namespace

TEST_F(MoreSystemCalls, AFileOfSettingsSaysThem) {
    const std::string line = do_chroot + do_mount + do_fsync + do_swapoff;
    const HostFile file(
        "/etc/systemd/nspawn/options.nspawn",
        "[Exec]\nSystemCallFilter=~chroot:EIO mount\nSystemCallFilter=@swap\nSuppressSync=yes\n");
    const std::string wanted = io_error + "1\n" + no_mount + no_swap + "\n";
    EXPECT_EQ(try_inside({"-x"}, line).out, wanted);
    const Machine machine("options", {"-D", tree.path(), "-x"});
    EXPECT_EQ(machine.try_exec({"sh", "-c", "exec 2>&1; " + line}).out, wanted);
}

TEST_F(MoreSystemCalls, AnInitHasThem) {
    const Machine machine(
        "options-calls",
        {"-D", tree.path(), "-x", "--boot", "--system-call-filter=~@mount", "--suppress-sync=yes"},
        {"ready"});
    EXPECT_EQ(status_field(machine.leader(), "Seccomp"), "2");
    EXPECT_EQ(machine.exec({"sh", "-c", "exec 2>&1; " + do_chroot + do_mount + do_fsync + "true"}),
              no_chroot + no_mount.substr(0, no_mount.size() - 1));
}
