// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/verbs.hpp"

#include <array>

namespace berth::cli {

namespace {

constexpr auto none = unlimited; // for "takes no command"

// clang-format off
constexpr std::array table{
    // name, arguments, least, most, before a command, help, options
    Verb{"list", "", 0, 0, none, "List running machines",
         "all full max-addresses no-legend no-pager output quiet"},
    Verb{"status", "[NAME…]", 0, unlimited, none, "Show machines: processes, layers, log",
         "full lines max-addresses no-pager output quiet"},
    Verb{"show", "[NAME…]", 0, unlimited, none, "Show properties of machines, or of the manager",
         "all no-pager property value P"},
    Verb{"inspect", "NAME [TOPIC]", 1, 2, none,
         "Show what the kernel has of a machine: namespaces, capabilities, mounts, cgroup, seccomp",
         "file no-pager output"},
    Verb{"start", "NAME…", 1, unlimited, none, "Start machines as services", "quiet"},
    Verb{"exec", "NAME COMMAND…", 2, unlimited, 1, "Run a command inside a machine",
         "uid setenv chdir pty pipe quiet"},
    Verb{"shell", "[[USER@]NAME [PATH [ARG…]]]", 0, unlimited, 1, "Open a shell inside a machine, or on the host",
         "uid setenv chdir pty pipe quiet"},
    Verb{"bind", "NAME PATH [PATH]", 2, 3, none, "Mount a path of the host into a running machine",
         "read-only mkdir"},
    Verb{"unbind", "NAME PATH", 2, 2, none, "Unmount what is mounted on a path of a machine", ""},
    Verb{"enable", "NAME…", 1, unlimited, none, "Start machines at boot", "now quiet"},
    Verb{"disable", "NAME…", 1, unlimited, none, "Do not start machines at boot", "now quiet"},
    Verb{"poweroff", "NAME…", 1, unlimited, none, "Ask machines to power off", ""},
    Verb{"reboot", "NAME…", 1, unlimited, none, "Ask machines to reboot", ""},
    Verb{"terminate", "NAME…", 1, unlimited, none, "Stop machines at once", ""},
    Verb{"kill", "NAME…", 1, unlimited, none, "Send a signal to processes of machines", "signal kill-whom"},
    Verb{"config", "check|convert FILE… | show NAME", 2, unlimited, none,
         "Check configuration files, print them as TOML, show what counts", "no-legend no-pager output"},
    Verb{"ns", "list | hold NAME WHOSE | enter NAME|WHOSE [-- COMMAND…] | release NAME", 1, unlimited, none,
         "List namespaces, keep them under a name, run a command in them", "kind no-legend output"},
    Verb{"help", "[VERB]", 0, 1, none, "Show this help, or that of a verb", ""},
};
// clang-format on

} // namespace

std::span<const Verb> verbs() {
    return table;
}

} // namespace berth::cli
