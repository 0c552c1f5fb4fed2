// SPDX-License-Identifier: LGPL-2.1-or-later
// Capability sets (capabilities(7)), by libcap.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::capabilities {

/// One bit per capability, by its number.
using Set = std::uint64_t;

/// All capabilities that the running kernel knows.
[[nodiscard]] Set all();

/// What a machine keeps unless told otherwise: systemd-nspawn's default bounding set, plus
/// CAP_NET_ADMIN where the network is private.
[[nodiscard]] Set default_bounding(bool private_network);

/// The set that `names` ("CAP_NET_ADMIN" or "all") stand for. Throws Error on an unknown name.
[[nodiscard]] Set from_names(const std::vector<std::string> &names);

/// CAP_SYS_ADMIN alone.
[[nodiscard]] Set system_administration();

/// Names of the members, in order of their numbers ("cap_net_admin").
[[nodiscard]] std::vector<std::string> names(Set set);

/// The bounding set of a process, from /proc/PID/status.
[[nodiscard]] Set bounding_of(pid_t pid);

/// Our own bounding set.
[[nodiscard]] Set own_bounding();

/// Drops from our bounding set all that `set` lacks. What we have ourselves stays until exec.
void bound(Set set);

/// Drops from permitted, effective, inheritable and ambient all that `set` lacks.
void reduce(Set set);

/// Makes `set`, as far as we are permitted it, all that is permitted and effective; nothing is inheritable
/// or ambient.
void set_own(Set set);

/// bound() and reduce().
void limit_to(Set set);

/// Makes `set` inheritable and ambient, so that programs without file capabilities keep it; what
/// else is permitted stays for root alone. All of it must be permitted.
void raise_ambient(Set set);

} // namespace berth::capabilities
