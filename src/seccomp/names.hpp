// SPDX-License-Identifier: LGPL-2.1-or-later
// Architectures and the names of their system calls, by libseccomp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace berth::seccomp {

/// One of the ways in which programs can call this kernel.
struct Architecture {
    std::uint32_t token = 0; ///< libseccomp's SCMP_ARCH_*
    std::uint32_t audit = 0; ///< what filters are shown: AUDIT_ARCH_*
    std::string name;        ///< as seccomp_arch_resolve_name(3) has it
};

/// The native architecture first, then those that its kernels run too.
[[nodiscard]] std::vector<Architecture> architectures();

/// All system calls that libseccomp knows there, by number.
[[nodiscard]] std::map<int, std::string> call_names(const Architecture &architecture);

/// True when libseccomp knows `name` on some architecture.
[[nodiscard]] bool is_call_name(const std::string &name);

/// The version of libseccomp in use: major, minor, micro, a byte each.
[[nodiscard]] std::uint32_t library_version();

} // namespace berth::seccomp
