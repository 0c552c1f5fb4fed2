// SPDX-License-Identifier: LGPL-2.1-or-later
// What a machine may call: the defaults, what its capabilities add, what the user changed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "seccomp/request.hpp"
#include "seccomp/rules.hpp"

namespace berth::seccomp {

struct Policy {
    /// By name. Calls that are not here are to fail with ENOSYS, so that programs fall back as on
    /// an older kernel.
    std::map<std::string, Action, std::less<>> calls;
    /// What is strange about the request, as sentences.
    std::vector<std::string> warnings;
};

/// The policy for `request`. What is known and not allowed is refused with EPERM. Of several rules
/// for one call the strictest counts, and of equally strict ones the last that names an errno.
/// `exists` tells of names that no group has whether they are system calls; those that are not are
/// warned of and passed over, as systemd-nspawn does. Throws Error on an unknown group, and when
/// nothing could be started under the filter.
[[nodiscard]] Policy policy_for(const Request &request,
                                const std::function<bool(const std::string &)> &exists);

} // namespace berth::seccomp
