// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/first_process.hpp"

#include <string>
#include <thread>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/pidfd.hpp"
#include "base/proc_stat.hpp"

namespace berth::first_process {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view launcher_name = "berth-run";
constexpr unsigned long forked_only = 0x40; // PF_FORKNOEXEC of the kernel's sched.h

/// True for a fork of the launcher. A machine cannot pretend: what it runs has been executed.
bool is_launcher(pid_t pid) {
    const proc_stat::Fields fields(read_file(berth::format("/proc/{}/stat", pid)));
    if (fields.text(proc_stat::flags).empty())
        fail("/proc/{}/stat is not as proc_pid_stat(5) has it", pid);
    return (fields.number(proc_stat::flags) & forked_only) != 0 && fields.name() == launcher_name;
}

} // namespace

void await(int pidfd, pid_t pid, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (is_launcher(pid)) {
        if (pidfd::has_exited(pidfd))
            fail_code(ESRCH, "waiting for the machine to be made");
        if (std::chrono::steady_clock::now() > deadline)
            fail_code(ETIMEDOUT, "waiting for the machine to be made");
        std::this_thread::sleep_for(1ms); // nothing tells of an execve(2) of another's
    }
}

} // namespace berth::first_process
