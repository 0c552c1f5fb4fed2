// SPDX-License-Identifier: LGPL-2.1-or-later
// What users write to change a machine's filter of system calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::seccomp {

/// What becomes of a system call.
struct Action {
    /// Stricter ones are greater.
    enum class Kind : std::uint8_t {
        allow,
        log,    ///< allow, and tell the kernel's log
        refuse, ///< with `error`
        kill,   ///< the process, by SIGSYS
    };
    Kind kind = Kind::allow;
    int error = 0; ///< an errno value
    bool operator==(const Action &) const = default;
};

struct Rule {
    std::string word; ///< the name of a system call or of a @group
    Action action;
    bool operator==(const Rule &) const = default;
};

/// The rules that `lists` stand for, in their order. A list holds names and @groups between white
/// space, which are allowed, or with "~" before the first of them refused with EPERM. A name or
/// group may end in what to do instead: ":kill", ":log", or an errno as a name or number (":ENOSYS").
/// Throws Error that names the word which makes no sense.
[[nodiscard]] std::vector<Rule> parse_rules(const std::vector<std::string> &lists);

} // namespace berth::seccomp
