// SPDX-License-Identifier: LGPL-2.1-or-later
// What filters of system calls answer, found out without making the calls.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <set>

#include "seccomp/program.hpp"

namespace berth::seccomp {

/// What a filter returns: an action (SECCOMP_RET_ACTION_FULL) and its data, such as an errno.
using Answer = std::uint32_t;

/// The answer of one program to `call`. Throws Error when it is none that the kernel would take.
[[nodiscard]] Answer evaluate(const Program &program, const seccomp_data &call);

/// The kernel's answer when all of `programs` are installed: the strictest; of equals, that of the
/// program installed last.
[[nodiscard]] Answer evaluate(const Programs &programs, const seccomp_data &call);

/// All that the call `number` of `architecture` (AUDIT_ARCH_*) may be answered with, depending on
/// its arguments and on where it comes from. More than one answer means that these matter. With
/// several programs an answer may be told that no arguments lead to, never one left out. Throws Error
/// on programs that the kernel would not take, or that are made to have very many ways through them.
[[nodiscard]] std::set<Answer> possible_answers(const Programs &programs, std::uint32_t architecture,
                                                int number);

/// True when `answer` is one whose system call does not go ahead on its own.
[[nodiscard]] constexpr bool refuses(Answer answer) noexcept {
    const Answer action = answer & SECCOMP_RET_ACTION_FULL;
    return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG;
}

} // namespace berth::seccomp
