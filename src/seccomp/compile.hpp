// SPDX-License-Identifier: LGPL-2.1-or-later
// From what a machine may call to the programs that the kernel runs, by libseccomp.
#pragma once

#include "seccomp/bundle.hpp"
#include "seccomp/policy.hpp"
#include "seccomp/request.hpp"

namespace berth::seccomp {

/// Each call answered as `policy` says, on all architectures that the kernel runs: one program.
/// Where calls share an entry (socketcall(2), ipc(2)), each is answered on its own there too.
[[nodiscard]] Program calls_program(const Policy &policy);

/// Sockets of the audit system are not to be had (EAFNOSUPPORT), so that programs take audit for
/// switched off: it does not work within namespaces. Others pass.
[[nodiscard]] Program audit_program();

/// Calls that wait for the disk succeed at once, without effect; open(2) with O_SYNC or O_DSYNC fails
/// (EINVAL). Others pass.
[[nodiscard]] Program suppress_sync_program();

/// All that `request` asks for, in the order in which to install it. Throws Error on bad rules.
[[nodiscard]] Bundle compile(const Request &request);

} // namespace berth::seccomp
