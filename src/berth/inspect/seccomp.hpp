// SPDX-License-Identifier: LGPL-2.1-or-later
// What the filters of a process do to its system calls, told by name.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json_fwd.hpp"

#include "seccomp/bpf.hpp"
#include "seccomp/names.hpp"
#include "seccomp/program.hpp"

namespace berth::inspect_seccomp {

/// What happens to the calls of one architecture, when all arguments are zero.
struct Calls {
    seccomp::Architecture architecture;
    std::size_t known = 0; ///< how many calls are known by name there
    /// By the kernel's answer, the names of the calls that get it.
    std::map<seccomp::Answer, std::vector<std::string>> by_answer;
    /// Calls whose answer depends on their arguments, with all answers there may be.
    std::map<std::string, std::set<seccomp::Answer>> by_arguments;
    /// What a call is answered that has no name yet.
    seccomp::Answer nameless = 0;
};

/// Runs the filters for each system call that is known on each architecture of this kernel.
[[nodiscard]] std::vector<Calls> examine(const seccomp::Programs &filters);

/// An answer in a word: "allowed", "logged", "traced", "notified", "trapped", "killed", an errno's
/// name such as "EPERM", or "success" for errno 0, with which a call does nothing.
[[nodiscard]] std::string describe(seccomp::Answer answer);

/// For people, some lines; `verbose` lists the calls that are allowed too.
[[nodiscard]] std::string explain(const seccomp::Programs &filters, bool verbose = false);

/// The same, whole, for programs.
[[nodiscard]] Json explain_json(const seccomp::Programs &filters);

} // namespace berth::inspect_seccomp
