// SPDX-License-Identifier: LGPL-2.1-or-later
// The system call filters that a machine's leader runs under (seccomp(2)).
#include "berth/inspect/seccomp.hpp"
#include "berth/inspect/topic.hpp"
#include "kernel/syscall_filters.hpp"

namespace berth::cli {

Report inspect_filters(const Subject &subject) {
    const syscall_filters::Filters filters = syscall_filters::of(subject.pid);
    return {.text = inspect_seccomp::explain(filters), .json = inspect_seccomp::explain_json(filters)};
}

} // namespace berth::cli
