// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/first_process.hpp"

#include <format>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"

namespace berth::first_process {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view launcher_name = "berth-run";
constexpr unsigned long forked_only = 0x40; // PF_FORKNOEXEC of the kernel's sched.h

/// True for a fork of the launcher. A machine cannot pretend: what it runs has been executed.
bool is_launcher(pid_t pid) {
    // proc_pid_stat(5): PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS; a name may hold ")"
    const std::string text = read_file(std::format("/proc/{}/stat", pid));
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos || close + 2 > text.size())
        fail("/proc/{}/stat is not as proc_pid_stat(5) has it", pid);
    const std::vector<std::string> fields = split(std::string_view(text).substr(close + 2), ' ');
    const auto flags = fields.size() > 6 ? parse_unsigned(fields[6]) : std::nullopt;
    if (!flags)
        fail("/proc/{}/stat tells no flags", pid);
    return (*flags & forked_only) != 0 && text.substr(open + 1, close - open - 1) == launcher_name;
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
